from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from segcube.backends.torch_cpu import TorchBackend
from segcube.core import Code, RunSettings
from segcube.formats import discover_cases
from segcube.inference.folder import prefetch as reading
from segcube.inference.folder.prefetch import CaseReader, Prefetcher, cases_at_once
from segcube.spec.submission import load_for_challenge

NAMES = tuple(f"BraTS-GLI-{number:05}-000" for number in range(1, 5))


@pytest.fixture
def data(tmp_path: Path, make_case, glioma) -> Path:
    for name in NAMES:
        make_case(tmp_path / "data", glioma, name)
    return tmp_path / "data"


@pytest.fixture
def prefetcher_on(tmp_path: Path, data: Path, tumour_submission: Path) -> Callable[[str], Prefetcher]:
    """The cases, for a run on a device; no network runs, so that any device does."""

    def begin(device: str) -> Prefetcher:
        loaded = load_for_challenge(tumour_submission)
        backend = TorchBackend(device, "fp32", "a test")
        reader = CaseReader(loaded, RunSettings(), backend, tmp_path / "maps")
        return Prefetcher(discover_cases(data, loaded.challenge).cases, reader)

    return begin


@pytest.fixture
def reads(prefetcher_on) -> Prefetcher:
    return prefetcher_on("cpu")


@pytest.mark.parametrize(("device", "all_are"), [("cpu", False), ("cuda:0", True)])
def test_the_first_case_is_prepared_in_the_thread_and_for_a_gpu_the_next_too(prefetcher_on, device, all_are):
    with prefetcher_on(device) as reads:
        first, second, *_ = list(reads)
    assert first.prefetched["tumour"][0].image_cxyz.shape[0] == 4
    assert list(first.seconds) == ["read", "preprocess"]
    # A single stage needs the voxels once
    assert first.volume.voxels[0].size == 0
    assert (second.prefetched is not None) == all_are
    assert (second.volume.voxels[0].size == 0) == all_are


def test_every_case_comes_in_order(reads):
    with reads:
        found = list(reads)
    assert [read.case.name for read in found] == list(NAMES)
    assert all(read.volume is not None for read in found)


def test_the_next_case_is_not_read_before_there_is_room(reads, data):
    with reads:
        coming = iter(reads)
        next(coming)
        shutil.rmtree(data / NAMES[1])
        assert next(coming).error is not None


def test_the_next_case_is_read_while_the_one_before_is_worked_on(reads, data):
    with reads:
        coming = iter(reads)
        next(coming)
        reads.start_next()
    shutil.rmtree(data / NAMES[1])
    assert next(coming).volume is not None


def test_a_gpu_has_the_next_three_cases_read_at_the_same_time(prefetcher_on, monkeypatch):
    monkeypatch.setattr(reading, "cpu_count", lambda: 8)
    all_three, read_volume = threading.Barrier(3, timeout=300), reading.read_volume

    def together(case, *arguments):
        if case.name != NAMES[0]:
            all_three.wait()
        return read_volume(case, *arguments)

    monkeypatch.setattr(reading, "read_volume", together)
    with prefetcher_on("cuda:0") as reads:
        assert [(read.case.name, read.error) for read in reads] == [(name, None) for name in NAMES]


def test_no_more_is_read_at_once_than_memory_and_cores_are_there_for(prefetcher_on, monkeypatch):
    with prefetcher_on("cpu") as reads:
        volume = next(iter(reads)).volume
    voxels = volume.grid.shape[0] * volume.grid.shape[1] * volume.grid.shape[2]
    monkeypatch.setattr(reading, "cpu_count", lambda: 8)
    assert cases_at_once(volume) == 3
    monkeypatch.setattr(reading, "READ_BYTES", 2 * 4 * 4 * voxels)
    assert cases_at_once(volume) == 2
    monkeypatch.setattr(reading, "READ_BYTES", 1)
    assert cases_at_once(volume) == 1
    monkeypatch.setattr(reading, "READ_BYTES", 2**40)
    monkeypatch.setattr(reading, "cpu_count", lambda: 2)
    assert cases_at_once(volume) == 1


def test_where_memory_was_short_the_others_are_let_go_and_read_one_at_a_time(prefetcher_on, monkeypatch):
    monkeypatch.setattr(reading, "cpu_count", lambda: 8)
    read_volume, read = reading.read_volume, []

    def short(case, *arguments):
        read.append(case.name)
        if read.count(NAMES[1]) == 1 and case.name == NAMES[1]:
            raise MemoryError
        return read_volume(case, *arguments)

    monkeypatch.setattr(reading, "read_volume", short)
    with prefetcher_on("cuda:0") as reads:
        found = list(reads)
    assert [(read.case.name, read.error) for read in found] == [(name, None) for name in NAMES]
    assert sorted(read) == sorted([NAMES[0], *2 * NAMES[1:]])
    assert reads._at_once == 1


def test_a_case_that_memory_is_too_short_for_is_told(prefetcher_on, monkeypatch):
    def short(*_):
        raise MemoryError

    monkeypatch.setattr(reading, "read_volume", short)
    with prefetcher_on("cuda:0") as reads:
        assert [read.error.code for read in reads] == [Code.MEMORY] * len(NAMES)
