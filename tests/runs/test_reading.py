from __future__ import annotations

import shutil
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
def reads(tmp_path: Path, data: Path, tumour_submission: Path) -> ReadAhead:
    loaded = load_for(tumour_submission)
    backend = TorchBackend("cpu", "fp32", "a test")
    reader = Reader(loaded, RunSettings(), backend, tmp_path / "maps")
    return ReadAhead(discover(data, loaded.challenge).cases, reader)


def test_a_case_is_prepared_where_it_is_read(reads):
    with reads:
        read = next(iter(reads))
    assert read.ahead["tumour"][0].image_cxyz.shape[0] == 4
    assert list(read.seconds) == ["read", "preprocess"]
    # Nobody needs the voxels of a single stage twice
    assert read.volume.voxels[0].size == 0


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
