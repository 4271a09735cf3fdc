from __future__ import annotations

import gzip
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from segcube.core import Case, CaseError, Code, Prediction, UsageError
from segcube.formats.nifti import (
    check_replaceable,
    describe_origin,
    inputs_digest,
    read_volume,
    reason_to_redo,
    write_label_map,
)

from .conftest import AFFINE, SHAPE, encode, voxels

LABELS = (voxels() % 3).astype(np.uint8)


@pytest.fixture
def case(make_pair) -> Case:
    return make_pair(encode(voxels()), encode(voxels() + 1))


@pytest.fixture
def finished(case, tmp_path) -> Path:
    """The finished label map of a run with fingerprint f00d."""
    return write(case, tmp_path / "out" / "a.nii.gz", LABELS)


def write(case: Case, file: Path, labels_xyz: np.ndarray, described: np.ndarray = LABELS) -> Path:
    volume = read_volume(case, ["t1"])
    prediction = Prediction(case, labels_xyz, volume.grid, volume.forms)
    write_label_map(prediction, file, describe_origin("0.1.0", "f00d", described))
    return file


def test_a_finished_map_is_not_redone(finished, case):
    assert reason_to_redo(finished, "f00d", case) == ""


def test_the_description_fits_into_its_field(finished):
    description = bytes(nib.load(finished).header["descrip"])
    assert description.decode().startswith("segcube 0.1.0 f00d ")
    longest = describe_origin("10.10.10.dev100", "0" * 16, LABELS)
    assert len(longest) < 80


def test_a_map_with_another_fingerprint_is_redone(finished, case):
    assert "other settings" in reason_to_redo(finished, "beef", case)


def test_a_map_with_changed_voxels_is_redone(case, tmp_path):
    changed = LABELS.copy()
    changed[0, 0, 0] += 1
    assert "changed" in reason_to_redo(write(case, tmp_path / "out" / "a.nii.gz", changed), "f00d", case)


def test_a_map_on_another_grid_is_redone(finished, make_pair):
    moved = AFFINE.copy()
    moved[0, 3] = 5
    for other in (encode(voxels(), moved), encode(voxels((4, 3, 3)))):
        assert "another grid" in reason_to_redo(finished, "f00d", make_pair(other, other))


def test_rounding_to_nifti1_is_not_another_grid(make_pair, tmp_path):
    affine = AFFINE / 3
    affine[3, 3] = 1
    content = encode(voxels(), affine, kind=nib.Nifti2Header)
    case = make_pair(content, content)
    assert reason_to_redo(write(case, tmp_path / "out" / "a.nii.gz", LABELS), "f00d", case) == ""


def test_a_map_of_other_programs_is_redone(case, tmp_path):
    file = tmp_path / "other.nii.gz"
    file.write_bytes(gzip.compress(encode(LABELS)))
    assert "not written by segcube" in reason_to_redo(file, "f00d", case)


def test_a_damaged_map_is_redone(finished, case):
    description = {"descrip": describe_origin("0.1.0", "f00d", LABELS).encode()}
    huge = {"dim": [3, 1024, 1024, 256, 1, 1, 1, 1]}
    contents = {
        "cut": finished.read_bytes()[:-5],
        "empty": b"",
        "text": b"no map",
        "huge": gzip.compress(encode(LABELS, fields=description | huge)),
        "floats": gzip.compress(encode(np.full(SHAPE, 1e30), fields=description)),
    }
    for kind, content in contents.items():
        finished.write_bytes(content)
        assert reason_to_redo(finished, "f00d", case) != "", kind


@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "gone"])
def test_what_is_not_a_file_is_redone(finished, case, kind):
    finished.unlink()
    if kind == "folder":
        finished.mkdir()
    elif kind == "fifo":
        os.mkfifo(finished)
    elif kind == "link":
        finished.symlink_to(finished)
    assert reason_to_redo(finished, "f00d", case) != ""


def test_the_input_digest_depends_on_the_bytes_only(case, tmp_path):
    before = inputs_digest(case)
    moved = {}
    for channel, file in case.files.items():
        moved[channel] = file.rename(tmp_path / f"moved-{file.name}")
    assert inputs_digest(Case("b", dict(reversed(moved.items())), "t1")) == before
    swapped = {"t1": moved["t2"], "t2": moved["t1"]}
    assert inputs_digest(Case("a", swapped, "t1")) != before
    moved["t2"].write_bytes(gzip.compress(encode(voxels())))
    assert inputs_digest(Case("a", moved, "t1")) != before


def test_inputs_of_another_size_than_declared_are_errors(tmp_path):
    file = tmp_path / "a.nii"
    file.write_bytes(encode(voxels()))
    os.truncate(file, 2**40)
    with pytest.raises(CaseError) as caught:
        inputs_digest(Case("a", {"t1": file}, "t1"))
    assert caught.value.code == Code.TOO_LARGE


def test_the_label_digest_does_not_depend_on_the_type():
    descriptions = {describe_origin("1", "f", LABELS.astype(t)) for t in ("u1", "u2", "i4", "i8")}
    descriptions.add(describe_origin("1", "f", np.asfortranarray(LABELS)))
    assert len(descriptions) == 1
    assert describe_origin("1", "f", LABELS.T) not in descriptions


def test_empty_files_and_those_of_the_same_kind_can_be_replaced(tmp_path):
    file = tmp_path / "a.json"
    for content in (b"", b'{"kind": "mine"}'):
        file.write_bytes(content)
        check_replaceable(file, "mine", (b"kind", b"mine"))


def test_missing_and_special_files_can_be_replaced(tmp_path):
    check_replaceable(None, "mine", (b"kind",))
    check_replaceable(tmp_path / "none", "mine", (b"kind",))
    check_replaceable(Path(os.devnull), "mine", (b"kind",))


def test_files_of_another_kind_are_errors(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"kind": "other"}')
    with pytest.raises(UsageError, match=r"a\.json: already exists and is not mine"):
        check_replaceable(tmp_path / "a.json", "mine", (b"kind", b"mine"))
