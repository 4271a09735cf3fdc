from pathlib import Path

import pytest

from segcube.core import UsageError
from segcube.formats import case_of_label, find_label_files
from segcube.spec.challenges import load_challenge

CASE = "BraTS-GLI-00001-000"


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "key", "case"),
    [
        (f"{CASE}-seg.nii.gz", "brats2023-gli", CASE),
        (f"{CASE}.nii", "brats2023-gli", CASE),
        (f"{CASE}-t1c.nii.gz", "brats2023-gli", None),
        (f"{CASE}-seg.txt", "brats2023-gli", None),
        ("BraTS-PED-00001-000-seg.nii.gz", "brats2023-gli", None),
        ("MBAS_001_label.nii.gz", "mbas2024", "MBAS_001"),
        ("MBAS_001_gt.nii.gz", "mbas2024", None),
    ],
)
def test_label_maps_are_named_by_suffix_output_or_case(name, key, case):
    assert case_of_label(name, load_challenge(key)) == case


def test_labels_are_found_at_any_depth_of_a_tree_of_their_own(tmp_path, glioma):
    files = (tmp_path / "a" / "b" / f"{CASE}-seg.nii.gz", tmp_path / f"{CASE}.nii.gz")
    touch(*files, tmp_path / "notes.txt")
    found = find_label_files(tmp_path, glioma)
    assert found.files == {CASE: tuple(sorted(files))}
    assert found.ignored == ("notes.txt (not a label map of brats2023-gli)",)


def test_labels_beside_images_lie_where_the_layout_has_images(tmp_path, glioma):
    beside = tmp_path / CASE / f"{CASE}-seg.nii.gz"
    touch(beside, tmp_path / CASE / "old" / f"{CASE}-seg.nii.gz")
    assert find_label_files(tmp_path, glioma, any_depth=False).files == {CASE: (beside,)}


def test_loops_of_links_are_not_followed(tmp_path, glioma):
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / f"{CASE}-seg.nii.gz").symlink_to("nowhere")
    found = find_label_files(tmp_path, glioma)
    assert found.files == {CASE: (tmp_path / f"{CASE}-seg.nii.gz",)}
    assert "not followed" in found.ignored[0]


def test_a_missing_folder_is_a_usage_error(tmp_path, glioma):
    with pytest.raises(UsageError, match="no such folder"):
        find_label_files(tmp_path / "none", glioma)
