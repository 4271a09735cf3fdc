from __future__ import annotations

import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from segcube.core import Case, CaseError, Code, Prediction
from segcube.formats.nifti import describe_origin, inputs_digest, read_volume, unfinished, write_label_map

from .conftest import AFFINE, SHAPE, encode, voxels

LABELS = (voxels() % 3).astype(np.uint8)


@pytest.fixture
def case(make_pair) -> Case:
    return make_pair(encode(voxels()), encode(voxels() + 1))


@pytest.fixture
def finished(case, tmp_path) -> Path:
    """The map of a case as a run with the fingerprint f00d leaves it."""
    return write(case, tmp_path / "out" / "a.nii.gz", LABELS)


def write(case: Case, file: Path, labels_xyz: np.ndarray, described: np.ndarray = LABELS) -> Path:
    volume = read_volume(case, ["t1"])
    prediction = Prediction(case, labels_xyz, volume.grid, volume.forms)
    write_label_map(prediction, file, describe_origin("0.1.0", "f00d", described))
    return file


def test_a_finished_map_is_believed(finished, case):
    assert unfinished(finished, "f00d", case) == ""


def test_the_description_fits_its_field(finished):
    description = bytes(nib.load(finished).header["descrip"])
    assert description.decode().startswith("segcube 0.1.0 f00d ")
    longest = describe_origin("10.10.10.dev100", "0" * 16, LABELS)
    assert len(longest) < 80


def test_another_fingerprint_is_not(finished, case):
    assert "other settings" in unfinished(finished, "beef", case)


def test_changed_voxels_are_not(case, tmp_path):
    changed = LABELS.copy()
    changed[0, 0, 0] += 1
    assert "changed" in unfinished(write(case, tmp_path / "out" / "a.nii.gz", changed), "f00d", case)


def test_another_grid_is_not(finished, make_pair):
    moved = AFFINE.copy()
    moved[0, 3] = 5
    for other in (encode(voxels(), moved), encode(voxels((4, 3, 3)))):
        assert "another grid" in unfinished(finished, "f00d", make_pair(other, other))


def test_digits_that_a_map_cannot_repeat_are_no_other_grid(make_pair, tmp_path):
    affine = AFFINE / 3
    affine[3, 3] = 1
    content = encode(voxels(), affine, kind=nib.Nifti2Header)
    case = make_pair(content, content)
    assert unfinished(write(case, tmp_path / "out" / "a.nii.gz", LABELS), "f00d", case) == ""


def test_a_map_of_others_is_not(case, tmp_path):
    file = tmp_path / "other.nii.gz"
    file.write_bytes(gzip.compress(encode(LABELS)))
    assert "making" in unfinished(file, "f00d", case)


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "folder", "fifo", "link", "gone", "huge", "floats"])
def test_garbage_is_never_believed_nor_an_error(finished, case, kind):
    whole = finished.read_bytes()
    finished.unlink()
    description = describe_origin("0.1.0", "f00d", LABELS).encode()
    if kind == "folder":
        finished.mkdir()
    elif kind == "fifo":
        os.mkfifo(finished)
    elif kind == "link":
        finished.symlink_to(finished)
    elif kind != "gone":
        content = {
            "cut": whole[:-5],
            "empty": b"",
            "text": b"no map",
            "huge": gzip.compress(
                encode(LABELS, fields={"descrip": description, "dim": [3, 1024, 1024, 256, 1, 1, 1, 1]})
            ),
            "floats": gzip.compress(encode(np.full(SHAPE, 1e30), fields={"descrip": description})),
        }[kind]
        finished.write_bytes(content)
    assert unfinished(finished, "f00d", case) != ""


def test_a_digest_is_of_the_bytes_alone(case, tmp_path):
    before = inputs_digest(case)
    moved = {}
    for channel, file in case.files.items():
        moved[channel] = file.rename(tmp_path / f"moved-{file.name}")
    assert inputs_digest(Case("b", dict(reversed(moved.items())), "t1")) == before
    swapped = {"t1": moved["t2"], "t2": moved["t1"]}
    assert inputs_digest(Case("a", swapped, "t1")) != before
    moved["t2"].write_bytes(gzip.compress(encode(voxels())))
    assert inputs_digest(Case("a", moved, "t1")) != before


def test_a_digest_needs_files_that_fit_their_headers(tmp_path):
    file = tmp_path / "a.nii"
    file.write_bytes(encode(voxels()))
    os.truncate(file, 2**40)
    with pytest.raises(CaseError) as caught:
        inputs_digest(Case("a", {"t1": file}, "t1"))
    assert caught.value.code == Code.TOO_LARGE


def test_labels_have_one_digest_whatever_their_type():
    told = {describe_origin("1", "f", LABELS.astype(t)) for t in ("u1", "u2", "i4", "i8")}
    told.add(describe_origin("1", "f", np.asfortranarray(LABELS)))
    assert len(told) == 1
    assert describe_origin("1", "f", LABELS.T) not in told
