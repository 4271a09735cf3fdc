from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from functools import partial

import nibabel as nib
import numpy as np
import pytest

from segcube.core import UsageError
from segcube.evaluation import as_csv, as_json, challenge_hint, choose_challenge
from segcube.evaluation import evaluate_folder as evaluate_in_processes
from segcube.evaluation.metrics import dice
from segcube.spec.challenges import load_challenge

ONE, TWO = "BraTS-GLI-00001-000", "BraTS-GLI-00002-000"
evaluate_folder = partial(evaluate_in_processes, workers=1)


def write(folder, name, labels_xyz, affine=None):
    folder.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(labels_xyz.astype(np.uint8), np.eye(4) if affine is None else affine)
    nib.save(image, folder / f"{name}.nii.gz")


@pytest.fixture
def folders(tmp_path):
    """A perfect map of case ONE, none of case TWO."""
    labels_xyz = np.zeros((12, 12, 12))
    labels_xyz[2:10, 2:10, 2:10] = 2
    labels_xyz[4:8, 4:8, 4:8] = 3
    for name in (ONE, TWO):
        write(tmp_path / "ref", f"{name}-seg", labels_xyz)
    write(tmp_path / "pred", ONE, labels_xyz)
    return tmp_path / "pred", tmp_path / "ref"


def test_dice_by_hand():
    one, other = np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
    one[:2], other[1:3] = True, True
    assert dice(one, other) == 0.5
    assert dice(one, one) == 1.0
    assert dice(one, np.zeros_like(one)) == 0.0
    assert dice(np.zeros_like(one), np.zeros_like(one)) == 1.0


def test_a_missing_case_scores_0_and_the_penalty_and_stays_in_the_mean(folders, glioma):
    found = evaluate_folder(*folders, glioma)
    assert found.cases[ONE].regions["WT"]["lesionwise_dice"] == 1
    missing = found.cases[TWO].regions["WT"]
    assert missing["lesionwise_hd95"] == missing["hd95"] == 374
    shares = {"lesionwise_dice", "dice", "sensitivity", "specificity"}
    assert {missing[name] for name in shares} == {0}
    assert found.problems == {TWO: "no label map"}
    assert found.mean["WT"]["lesionwise_dice"] == found.median["WT"]["lesionwise_dice"] == 0.5
    assert found.mean["WT"]["lesionwise_hd95"] == 187


@pytest.mark.parametrize(
    ("key", "penalty"), [("brats2024-gli", 337), ("brats2026-ped", 373), ("mbas2024", math.inf)]
)
def test_each_profile_has_its_own_penalty(key, penalty):
    from segcube.evaluation.profiles import metrics_of
    from segcube.evaluation.profiles.score import scores_without_map

    challenge = load_challenge(key)
    reference_xyz = np.zeros((4, 4, 4), np.uint8)
    scores = scores_without_map(reference_xyz, (1, 1, 1), challenge, metrics_of(challenge), "no label map")
    for row in scores.regions.values():
        assert (row["hd95"], row["dice"]) == (penalty, 0)


COUNTS = ("num_tp", "num_fp", "num_fn", "volume_ref", "volume_pred")


@pytest.mark.parametrize("profile", ["brats2023", "brats2026"])
def test_a_missing_map_misses_every_lesion_of_the_reference(folders, glioma, profile):
    pred, ref = folders
    labels_xyz = np.zeros((24, 12, 12))
    labels_xyz[1:5, 1:5, 1:5] = labels_xyz[17:22, 1:5, 1:5] = 3
    write(ref, f"{TWO}-seg", labels_xyz, np.diag([1, 1, 2, 1]))
    scores = evaluate_folder(pred, ref, glioma, profile).cases[TWO]
    assert scores.problem
    # Lesions of 64 and 80 voxels of 2 mm3
    counts = {name: scores.regions["ET"][name] for name in COUNTS}
    assert math.isnan(counts.pop("num_fp"))
    assert counts == {"num_tp": 0, "num_fn": 2, "volume_ref": 288, "volume_pred": 0}
    assert [row.kind for row in scores.lesions if row.region == "ET"] == ["missed", "missed"]


def test_a_missing_map_does_not_change_the_mean_number_of_false_positives(folders, glioma):
    assert evaluate_folder(*folders, glioma).mean["WT"]["num_fp"] == 0
    (folders[0] / f"{ONE}.nii.gz").unlink()
    assert math.isnan(evaluate_folder(*folders, glioma).mean["WT"]["num_fp"])


def test_a_damaged_reference_is_reported_and_not_scored(folders, glioma):
    pred, ref = folders
    file = ref / f"{TWO}-seg.nii.gz"
    file.write_bytes(file.read_bytes()[:-20])
    found = evaluate_folder(pred, ref, glioma)
    assert list(found.cases) == [ONE]
    assert found.mean["WT"]["dice"] == 1
    assert found.problems == {}
    assert list(found.bad_references) == [TWO]
    assert found.bad_references[TWO].startswith(f"{file}: ")
    assert list(json.loads(as_json(found))["bad_references"]) == [TWO]


def test_nothing_is_scored_when_all_references_are_damaged(folders, glioma):
    for file in folders[1].iterdir():
        file.write_bytes(b"")
    found = evaluate_folder(*folders, glioma)
    assert (found.cases, found.mean, list(found.bad_references)) == ({}, {}, [ONE, TWO])
    assert json.loads(as_json(found))["mean"] == {}
    assert as_csv(found) == b"case,region,problem\n"


def test_an_unreadable_or_mis_shaped_map_scores_as_a_missing_one(folders, glioma):
    pred, ref = folders
    whole = (pred / f"{ONE}.nii.gz").read_bytes()
    (pred / f"{ONE}.nii.gz").write_bytes(whole[: len(whole) // 2])
    write(pred, TWO, np.zeros((12, 12, 11)))
    found = evaluate_folder(pred, ref, glioma)
    assert found.mean["WT"]["lesionwise_dice"] == 0
    assert "incomplete" in found.problems[ONE]
    assert "shape (12, 12, 11)" in found.problems[TWO]


def test_maps_without_a_reference_are_listed(folders, glioma):
    pred, ref = folders
    write(pred, "BraTS-GLI-00009-000", np.zeros((12, 12, 12)))
    assert evaluate_folder(pred, ref, glioma).without_reference == ("BraTS-GLI-00009-000",)


def test_unknown_labels_and_another_position_are_noticed(folders, glioma):
    pred, ref = folders
    write(pred, TWO, np.full((12, 12, 12), 4), np.diag([1, 1, 2, 1]))
    notices = " ".join(evaluate_folder(pred, ref, glioma).cases[TWO].notices)
    assert "labels 4" in notices
    assert "mm away from the reference" in notices


def test_references_may_be_in_case_folders_beside_images(folders, glioma):
    pred, ref = folders
    (ref / ONE).mkdir()
    (ref / f"{ONE}-seg.nii.gz").rename(ref / ONE / f"{ONE}-seg.nii.gz")
    write(ref / ONE, f"{ONE}-t1c", np.ones((12, 12, 12)))
    assert evaluate_folder(pred, ref, glioma).cases[ONE].regions["ET"]["dice"] == 1


def test_two_maps_of_a_case_are_refused(folders, glioma):
    pred, ref = folders
    write(ref / "again", f"{ONE}-seg", np.zeros((12, 12, 12)))
    with pytest.raises(UsageError, match="second map"):
        evaluate_folder(pred, ref, glioma)


def test_a_reference_folder_without_maps_is_refused(tmp_path, glioma):
    with pytest.raises(UsageError, match="no label map"):
        evaluate_folder(tmp_path, tmp_path, glioma)


def test_spacing_is_read_from_the_prediction(folders, glioma):
    pred, ref = folders
    labels_xyz = np.asarray(nib.load(pred / f"{ONE}.nii.gz").dataobj)
    write(pred, ONE, labels_xyz, np.diag([1, 1, 2, 1]))
    assert evaluate_folder(pred, ref, glioma).cases[ONE].regions["ET"]["volume_ref"] == 128


def test_spacing_of_oblique_grids_is_the_length_of_the_affines_columns(folders):
    pred, ref = folders
    turn = np.array([[0.6, -0.8, 0, 0], [0.8, 0.6, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]])
    labels_xyz = np.asarray(nib.load(pred / f"{ONE}.nii.gz").dataobj)
    for folder, name in ((pred, ONE), (ref, f"{ONE}-seg")):
        write(folder, name, labels_xyz, turn)
    for key in ("brats2023-gli", "brats2025-gli"):
        found = evaluate_folder(pred, ref, load_challenge(key))
        assert found.cases[ONE].regions["ET"]["volume_ref"] == pytest.approx(128, rel=1e-6)


def test_scores_do_not_depend_on_the_number_of_workers(folders, glioma):
    done: list[tuple[str, int]] = []
    found = evaluate_in_processes(
        *folders, glioma, workers=2, on_case=lambda case, total: done.append((case, total))
    )
    assert as_json(found, lesions=True) == as_json(evaluate_folder(*folders, glioma), lesions=True)
    assert done == [(ONE, 2), (TWO, 2)]


def test_millimetres_stand_beside_the_official_numbers_on_request(folders, glioma):
    def names(**options):
        return set(evaluate_folder(*folders, glioma, "brats2026", **options).mean["WT"])

    assert names(millimetres=True) - names() >= {"hd95_mm", "sq_hd95_mm", "nsd_0.5_mm"}
    assert not any("_mm" in name for name in names())


def test_file_names_choose_the_challenge_and_ambiguity_is_an_error(folders, tmp_path):
    pred, ref = folders
    assert choose_challenge(pred, ref, "brats2023-gli").key == "brats2023-gli"
    with pytest.raises(UsageError, match="brats2023-gli, brats2025-gli"):
        choose_challenge(pred, ref, None)
    write(tmp_path / "radiotherapy", "BraTS2021_00001", np.zeros((4, 4, 4)))
    assert choose_challenge(tmp_path / "radiotherapy", tmp_path / "radiotherapy", None).key == "brats2021-gli"


def test_json_has_everything_and_infinite_values_as_strings(folders, glioma):
    found = evaluate_folder(*folders, glioma, "plain")
    content = json.loads(as_json(found))
    assert list(content)[:6] == ["profile", "challenge", "versions", "cases", "lesions", "mean"]
    assert (content["profile"], content["challenge"]) == ("plain", "brats2023-gli")
    assert content["cases"][TWO]["WT"]["hd95"] == content["mean"]["WT"]["hd95"] == "inf"
    assert content["mean"]["WT"]["dice"] == 0.5
    assert content["lesions"] == {}
    empty = replace(found, cases={ONE: replace(found.cases[ONE], regions={"WT": {"dice": math.nan}})})
    assert json.loads(as_json(empty))["mean"] == {"WT": {"dice": "nan"}}


def test_json_holds_rows_of_lesions_on_request(folders, glioma):
    rows = json.loads(as_json(evaluate_folder(*folders, glioma), lesions=True))["lesions"]
    (row,) = rows[ONE]["ET"]
    assert (row["kind"], row["volume"], row["dice"]) == ("matched", 64, 1)
    assert [(row["kind"], row["volume"]) for row in rows[TWO]["ET"]] == [("missed", 64)]


def test_csv_has_a_row_a_case_and_region(folders, glioma):
    rows = list(csv.DictReader(as_csv(evaluate_folder(*folders, glioma)).decode().splitlines()))
    assert [(row["case"], row["region"]) for row in rows] == [
        (c, r) for c in (ONE, TWO) for r in ("WT", "TC", "ET")
    ]
    assert rows[0]["lesionwise_dice"] == "1.0"
    assert rows[3]["problem"] == "no label map"


def test_a_hint_names_the_challenge_that_names_fit(tmp_path, glioma):
    (tmp_path / "BraTS2021_00001_seg.nii.gz").touch()
    assert "--challenge brats2021-gli" in challenge_hint(tmp_path, glioma)
    assert challenge_hint(tmp_path, load_challenge("brats2021-gli"), "else") == "else"
