from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from segcube.backends.torch_backend import TorchBackend
from segcube.runs.reading import ReadAhead, Reader
from segcube.settings import RunSettings
from segcube.submission import load_for
from segcube.volumes import discover

NAMES = ("BraTS-GLI-00001-000", "BraTS-GLI-00002-000")


@pytest.fixture
def data(tmp_path: Path, make_case, glioma) -> Path:
    for name in NAMES:
        make_case(tmp_path / "data", glioma, name)
    return tmp_path / "data"


@pytest.fixture
def reads_on(tmp_path: Path, data: Path, tumour_submission: Path) -> Callable[[str], ReadAhead]:
    """Both cases, for a run on a device; no network runs, so that any device does."""

    def begin(device: str) -> ReadAhead:
        loaded = load_for(tumour_submission)
        backend = TorchBackend(device, "fp32", "a test")
        reader = Reader(loaded, RunSettings(), backend, tmp_path / "maps")
        return ReadAhead(discover(data, loaded.challenge).cases, reader)

    return begin


@pytest.fixture
def reads(reads_on) -> ReadAhead:
    return reads_on("cpu")


@pytest.mark.parametrize(("device", "all_are"), [("cpu", False), ("cuda:0", True)])
def test_the_first_case_is_prepared_in_the_thread_and_for_a_gpu_the_next_too(reads_on, device, all_are):
    with reads_on(device) as reads:
        first, second = list(reads)
    assert first.ahead["tumour"][0].image_cxyz.shape[0] == 4
    assert list(first.seconds) == ["read", "preprocess"]
    # Nobody needs the voxels of a single stage twice
    assert first.volume.voxels[0].size == 0
    assert (second.ahead is not None) == all_are
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
        reads.read_on()
    shutil.rmtree(data / NAMES[1])
    assert next(coming).volume is not None
