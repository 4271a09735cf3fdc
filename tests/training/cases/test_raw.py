import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segcube.core import UsageError
from segcube.training.cases import check_dataset, find_labelled_cases

from ...faults.make_case import CHANNELS
from .labelled import LabelFile, make_labelled

DATASET = {
    "channel_names": {"0": "FLAIR", "1": "T1w", "2": "T1ce", "3": "T2w"},
    "labels": {"background": 0, "necrosis": 1, "edema": 2, "enhancing": 3},
    "numTraining": 2,
    "file_ending": ".nii.gz",
}
ORDER = ("t2f", "t1n", "t1c", "t2w")


def make_raw(folder: Path, names=("case_a", "case_b"), **changes: Any) -> Path:
    """Write a raw data set of nnU-Net; changes: keys of dataset.json, None to leave one out."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for seed, name in enumerate(names):
        case = make_labelled(folder.parent / "made" / f"{seed}", seed)
        for number, channel in enumerate(ORDER):
            shutil.move(case.file(channel), folder / "imagesTr" / f"{name}_{number:04d}.nii.gz")
        shutil.move(case.file("seg"), folder / "labelsTr" / f"{name}.nii.gz")
    content = {key: value for key, value in (DATASET | changes).items() if value is not None}
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def codes(found) -> list[tuple[str, str, bool]]:
    return [(problem.code.value, problem.case, problem.is_error) for problem in found.problems]


def test_cases_channels_and_labels_are_found(tmp_path, glioma):
    raw = make_raw(tmp_path / "raw", labels={"background": 0, "NCR": 1, "ED": 2, "ET": 3, "ignore": 4})
    found = find_labelled_cases(raw, glioma)
    assert [case.name for case in found.cases] == ["case_a", "case_b"]
    assert found.cases[0].case.files["t1c"] == raw / "imagesTr" / "case_a_0002.nii.gz"
    assert found.cases[0].case.reference == "t1c"
    assert found.cases[0].label == raw / "labelsTr" / "case_a.nii.gz"
    assert found.ignore_value == 4
    assert found.problems == ()
    assert {problem.code.value for problem in check_dataset(found).problems} == {"GEOMETRY", "FEW_CASES"}


def test_ignored_voxels_are_no_unknown_labels(tmp_path, glioma):
    raw = make_raw(tmp_path / "raw", labels={"background": 0, "NCR": 1, "ED": 2, "ET": 3, "ignore": 4})
    other = make_labelled(tmp_path / "other", 0)
    labels_xyz = LabelFile(other.folder, 0).voxels()
    LabelFile(other.folder, 0).store(image=np.where(labels_xyz == 3, 4, labels_xyz).astype("u1"))
    shutil.copyfile(other.file("seg"), raw / "labelsTr" / "case_a.nii.gz")
    checked = check_dataset(find_labelled_cases(raw, glioma))
    assert checked.errors == ()
    assert checked.cases[0].label_voxels["ET"] == 0


def test_regions_are_compared_by_their_values(tmp_path, glioma):
    regions = {"background": 0, "whole_tumor": [1, 2, 3], "tumor_core": [1, 3], "enhancing_tumor": 3}
    assert find_labelled_cases(make_raw(tmp_path / "raw", labels=regions), glioma).problems == ()


def test_files_listed_in_dataset_json(tmp_path, glioma):
    raw = make_raw(tmp_path / "raw")
    (raw / "imagesTr").rename(raw / "scans")
    listed = {
        name: {
            "images": [f"scans/{name}_{number:04d}.nii.gz" for number in range(4)],
            "label": f"labelsTr/{name}.nii.gz",
        }
        for name in ("case_a", "case_b")
    }
    (raw / "dataset.json").write_text(json.dumps(DATASET | {"dataset": listed}))
    found = find_labelled_cases(raw, glioma)
    assert [case.case.files["t2w"].name for case in found.cases] == [
        "case_a_0003.nii.gz",
        "case_b_0003.nii.gz",
    ]
    assert found.problems == ()


def test_a_tree_of_labels_replaces_those_of_the_data_set(tmp_path, glioma):
    raw = make_raw(tmp_path / "raw")
    (raw / "labelsTr").rename(tmp_path / "corrected")
    found = find_labelled_cases(raw, glioma, tmp_path / "corrected")
    assert [case.label.parent.name for case in found.cases] == ["corrected"] * 2


def rename(old: str, new: str):
    return lambda raw: (raw / old).rename(raw / new)


def copy(old: str, new: str):
    return lambda raw: shutil.copyfile(raw / old, raw / new)


def declare(**changes: Any):
    return lambda raw: (raw / "dataset.json").write_text(json.dumps(DATASET | changes))


FAULTS = {
    "channel_missing": (
        lambda raw: (raw / "imagesTr" / "case_a_0001.nii.gz").unlink(),
        [("MISSING_MODALITY", "case_a", True)],
        "case_a_0001.nii.gz",
    ),
    "channel_not_listed": (
        copy("imagesTr/case_a_0001.nii.gz", "imagesTr/case_a_0004.nii.gz"),
        [("EXTRA_CHANNEL", "case_a", True)],
        "case_a_0004.nii.gz",
    ),
    "label_missing": (
        lambda raw: (raw / "labelsTr" / "case_b.nii.gz").unlink(),
        [("LABEL_MISSING", "case_b", True)],
        "case_b.nii.gz",
    ),
    "label_without_images": (
        copy("labelsTr/case_b.nii.gz", "labelsTr/case_c.nii.gz"),
        [("LABEL_ORPHAN", "case_c", True)],
        "case_c.nii.gz",
    ),
    "label_twice": (
        lambda raw: (raw / "labelsTr" / "case_b.nii").write_bytes(b"x"),
        [("LABEL_DUPLICATE", "case_b", True)],
        "case_b.nii",
    ),
    "fewer_cases_than_declared": (declare(numTraining=3), [("CASE_COUNT", "", False)], "dataset.json"),
    "values_of_another_edition": (
        declare(labels={"background": 0, "edema": 1, "necrosis": 2, "enhancing": 3}),
        [("LABEL_NAMES", "", True)],
        "ED is 1, NCR is 2",
    ),
    "region_of_other_labels": (
        declare(labels={"background": 0, "whole_tumor": [1, 2, 3], "tumor_core": [2, 3]}),
        [("LABEL_NAMES", "", True)],
        "TC is 2+3; expected TC 1+3",
    ),
    "labels_of_other_names": (
        declare(labels={"background": 0, "liver": 1}),
        [("LABEL_NAMES", "", False)],
        "liver",
    ),
    "channels_of_other_names": (
        declare(channel_names={"0": "A", "1": "B", "2": "C", "3": "D"}),
        [("CHANNEL_ORDER", "", False)],
        "A as t1c",
    ),
    "ignore_label_is_a_label": (
        declare(labels=DATASET["labels"] | {"ignore": 3}),
        [("IGNORE_LABEL", "", True)],
        "3, which is ET",
    ),
    "names_differ_in_case": (
        lambda raw: [
            *(
                rename(f"imagesTr/case_b_{n:04d}.nii.gz", f"imagesTr/CASE_A_{n:04d}.nii.gz")(raw)
                for n in range(4)
            ),
            rename("labelsTr/case_b.nii.gz", "labelsTr/CASE_A.nii.gz")(raw),
        ],
        [("CASE_NAME", "case_a", True)],
        "differs from CASE_A",
    ),
    "line_break_in_a_name": (
        lambda raw: [
            *(
                rename(f"imagesTr/case_b_{n:04d}.nii.gz", f"imagesTr/case\nb_{n:04d}.nii.gz")(raw)
                for n in range(4)
            ),
            rename("labelsTr/case_b.nii.gz", "labelsTr/case\nb.nii.gz")(raw),
        ],
        [("CASE_NAME", r"case\nb", True)],
        "unprintable",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_by_their_code(tmp_path, glioma, fault):
    apply, expected, text = FAULTS[fault]
    apply(make_raw(tmp_path / "raw"))
    found = find_labelled_cases(tmp_path / "raw", glioma)
    assert codes(found) == expected
    assert text in found.problems[0].message


def test_another_ignore_label_than_declared_is_an_error(tmp_path, glioma):
    raw = make_raw(tmp_path / "raw", labels=DATASET["labels"] | {"ignore": 4})
    assert codes(find_labelled_cases(raw, glioma, ignore=5)) == [("IGNORE_LABEL", "", True)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channel_names": None}, "expected 0, 1"),
        ({"channel_names": {"1": "T1", "2": "T2"}}, "expected 0, 1"),
        ({"channel_names": {"0": "T1"}}, "has 1 channel: T1"),
        ({"file_ending": ".png"}, "convert the images, or name a challenge file with their format"),
        ({"labels": {"0": "background", "1": "tumour"}}, "labels"),
        ({"labels": {"tumour": 1}}, "expected background"),
        ({"labels": None}, "'labels' is missing"),
    ],
)
def test_an_invalid_dataset_json_is_a_usage_error(tmp_path, glioma, changes, message):
    with pytest.raises(UsageError, match=r"dataset\.json.*" + message):
        find_labelled_cases(make_raw(tmp_path / "raw", **changes), glioma)


@pytest.mark.parametrize(
    "text",
    ['{"labels": ' + "[" * 100_000, "[" + "1," * 2_000_000 + "1]", '{"a": 1, "a": 2}', "{'a': 1}", "[]", ""],
    ids=["deep", "many values", "repeated key", "no JSON", "a list", "empty"],
)
def test_a_hostile_dataset_json_is_a_usage_error(tmp_path, glioma, text):
    raw = make_raw(tmp_path / "raw", names=())
    (raw / "dataset.json").write_text(text)
    with pytest.raises(UsageError, match=r"dataset\.json"):
        find_labelled_cases(raw, glioma)


def test_a_raw_data_set_without_dataset_json_is_a_usage_error(tmp_path, glioma):
    raw = make_raw(tmp_path / "raw")
    (raw / "dataset.json").unlink()
    with pytest.raises(UsageError, match="no such file"):
        find_labelled_cases(raw, glioma)


def test_other_files_are_ignored(tmp_path, glioma):
    raw = make_raw(tmp_path / "raw")
    (raw / "imagesTr" / "notes.txt").write_text("x")
    (raw / "labelsTr" / "notes.txt").write_text("x")
    assert find_labelled_cases(raw, glioma).ignored == (
        "imagesTr/notes.txt (not named CASE_0000.nii.gz)",
        "labelsTr/notes.txt (not a NIfTI file)",
    )
    assert set(ORDER) == set(CHANNELS)
