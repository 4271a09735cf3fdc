import ctypes
import os
import shutil
from collections.abc import Callable
from threading import Thread

import pytest
import yaml

from segcube.core import UsageError
from segcube.spec.challenges import load_challenge
from segcube.training.cases import check_case, find_labelled_cases

from .labelled import COUNT, LabelFile, make_labelled, name_of

NAMES = [name_of(number) for number in range(COUNT)]


def codes(found) -> set[tuple[str, str, bool]]:
    return {(problem.code.value, problem.case, problem.is_error) for problem in found.problems}


def without_privileges(task: Callable[[], object]) -> object:
    """The result of a task in a thread to which file permissions apply to root too."""
    results: list[object] = []

    def run() -> None:
        if os.geteuid() == 0:
            header, no_capability = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
            assert ctypes.CDLL(None).capset(header, no_capability) == 0
        results.append(task())

    thread = Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


def move_labels(data, tree, name: str = "{case}-seg.nii.gz") -> None:
    tree.mkdir(parents=True)
    for case in NAMES:
        shutil.move(data / case / f"{case}-seg.nii.gz", tree / name.format(case=case))


def test_labels_beside_the_images(valid_data, glioma):
    found = find_labelled_cases(valid_data, glioma)
    assert [case.name for case in found.cases] == NAMES
    assert [case.patient for case in found.cases] == [f"BraTS-GLI-{number:05d}" for number in range(COUNT)]
    assert found.cases[1].label == valid_data / NAMES[1] / f"{NAMES[1]}-seg.nii.gz"
    assert set(found.cases[1].case.files) == {"t1c", "t1n", "t2f", "t2w"}
    assert (found.problems, found.ignored, found.ignore_value) == ((), (), None)


@pytest.mark.parametrize("name", ["{case}-seg.nii.gz", "{case}.nii.gz"])
def test_labels_in_a_tree_of_their_own(damaged, glioma, tmp_path, name):
    move_labels(damaged.data, tmp_path / "labels" / "batch 1", name)
    found = find_labelled_cases(damaged.data, glioma, tmp_path / "labels")
    assert [case.label.name for case in found.cases] == [name.format(case=case) for case in NAMES]
    assert found.problems == ()


def test_labels_named_by_the_case_beside_the_images_are_not_ignored(damaged, glioma):
    case = NAMES[0]
    (damaged.data / case / f"{case}-seg.nii.gz").rename(damaged.data / case / f"{case}.nii.gz")
    found = find_labelled_cases(damaged.data, glioma)
    assert len(found.cases) == COUNT
    assert found.ignored == ()


def test_other_labels_in_a_tree_are_notices(damaged, glioma, tmp_path):
    move_labels(damaged.data, tmp_path / "labels")
    shutil.rmtree(damaged.data / NAMES[0])
    found = find_labelled_cases(damaged.data, glioma, tmp_path / "labels")
    assert codes(found) == {("LABEL_ORPHAN", NAMES[0], False)}


def test_the_label_of_an_incomplete_case_is_no_orphan(damaged, glioma):
    damaged.case().file("t2f").unlink()
    assert codes(find_labelled_cases(damaged.data, glioma)) == {("MISSING_MODALITY", NAMES[2], True)}


def test_a_challenge_of_the_users_own(tmp_path):
    (tmp_path / "data").mkdir()
    content = {
        "key": "mine",
        "title": "Mine",
        "case": r"scan\d+",
        "made_case": "scan{number}",
        "layout": "walk",
        "channels": [{"name": "mr", "suffixes": ["_mr"]}],
        "reference": "mr",
        "labels": {"background": 0, "tumour": 5},
        "regions": {"tumour": ["tumour"]},
        "scored": ["tumour"],
        "write": [{"region": "tumour", "label": "tumour"}],
        "geometry": {"fixed": False, "grids": [{"shape": [14, 12, 10], "spacing": [1, 1, 1]}]},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    case = make_labelled(tmp_path / "made" / name_of(1), 1)
    shutil.copyfile(case.file("t1c"), tmp_path / "data" / "scan1_mr.nii.gz")
    label = LabelFile(case.folder, 1)
    label.store(image=(label.voxels() > 0).astype("u1") * 5)
    shutil.copyfile(case.file("seg"), tmp_path / "data" / "scan1.nii.gz")
    found = find_labelled_cases(tmp_path / "data", load_challenge(tmp_path / "mine.yaml"))
    assert [(case.name, case.label.name) for case in found.cases] == [("scan1", "scan1.nii.gz")]
    checked = check_case(found.cases[0], found.challenge)
    assert (set(checked.label_voxels), checked.problems) == ({"background", "tumour"}, ())


def test_the_ignore_label_is_kept(valid_data, glioma):
    assert find_labelled_cases(valid_data, glioma, ignore=9).ignore_value == 9


@pytest.mark.parametrize("ignore", [-1, 2**16])
def test_an_impossible_ignore_label_is_a_usage_error(valid_data, glioma, ignore):
    with pytest.raises(UsageError, match="0 to 65535"):
        find_labelled_cases(valid_data, glioma, ignore=ignore)


def test_a_folder_without_a_case_is_a_usage_error(tmp_path, glioma):
    make_labelled(tmp_path / "BraTS-PED-00001-000", 0)
    with pytest.raises(UsageError, match="no case of brats2023-gli"):
        find_labelled_cases(tmp_path, glioma)


def test_a_missing_folder_of_labels_is_a_usage_error(valid_data, glioma, tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        find_labelled_cases(valid_data, glioma, tmp_path / "none")


def test_folders_and_label_maps_without_permission_are_named(damaged, glioma, tmp_path):
    move_labels(damaged.data, tmp_path / "labels" / "open")
    locked = tmp_path / "labels" / NAMES[3]
    locked.mkdir()
    locked.chmod(0)
    (damaged.data / NAMES[4]).chmod(0)
    (tmp_path / "labels" / "open" / f"{NAMES[5]}-seg.nii.gz").chmod(0)
    try:
        found = without_privileges(lambda: find_labelled_cases(damaged.data, glioma, tmp_path / "labels"))
        last = without_privileges(lambda: check_case(found.cases[-1], glioma))
    finally:
        locked.chmod(0o755)
        (damaged.data / NAMES[4]).chmod(0o755)
    assert codes(found) == {("UNREADABLE", NAMES[3], True), ("UNREADABLE", NAMES[4], True)}
    assert ("UNREADABLE", NAMES[5], True) in codes(last)


def test_loops_of_links_end(damaged, glioma):
    (damaged.data / NAMES[0] / "loop").symlink_to(damaged.data)
    (damaged.data / "again").symlink_to(damaged.data)
    found = find_labelled_cases(damaged.data, glioma)
    assert len(found.cases) == COUNT
    assert sum("not followed" in ignored for ignored in found.ignored) == 2


def test_names_with_line_breaks_stay_on_one_line(damaged, glioma):
    damaged.label().file().rename(damaged.data / NAMES[2] / f"{NAMES[2]}-seg\nall is well.nii.gz")
    (problem,) = find_labelled_cases(damaged.data, glioma).problems
    assert problem.code == "LABEL_MISSING"
    assert "--ref" in problem.message
    assert "\n" not in problem.message
