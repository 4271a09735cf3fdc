import shutil

import nibabel as nib
import numpy as np
import pytest

from segcube.core import UsageError
from segcube.spec.challenges import load_challenge
from segcube.training.cases import (
    DataError,
    ExtraData,
    ExtraRules,
    add_extra_cases,
    check_dataset,
    find_labelled_cases,
    make_folds,
    read_folds,
    write_folds,
)
from segcube.training.cases.sources import UNUSED_VALUE

from ..run.small import write_data
from .hearts import write_hearts


@pytest.fixture
def data(tmp_path):
    return find_labelled_cases(write_data(tmp_path / "data"), load_challenge("mbas2024"))


@pytest.fixture
def hearts(tmp_path):
    return write_hearts(tmp_path / "hearts")


def names(data):
    return [case.name for case in data.cases]


VEIN = ExtraRules(label_names={"vein": "ignore"})


def test_cases_of_further_data_only_train(data, hearts):
    found = add_extra_cases(data, [hearts], VEIN)
    assert names(found) == [f"HEART_{n:03d}" for n in (1, 2, 3)] + [f"MBAS_{n:03d}" for n in (1, 2, 3, 4)]
    folds = make_folds(found.cases, 2)
    assert folds.training_only == ("HEART_001", "HEART_002", "HEART_003")
    assert all("HEART_001" in folds.split(fold).training for fold in (0, 1))
    assert folds.split("all").training == tuple(names(found))


def test_their_label_maps_get_the_values_of_the_run(data, hearts):
    found = add_extra_cases(data, [hearts], VEIN)
    assert found.ignore_value == UNUSED_VALUE
    checked = check_dataset(found)
    assert checked.errors == ()
    by_name = {case.case.name: case for case in checked.cases}
    plain = check_dataset(find_labelled_cases(write_data(hearts.folder.parent / "same", 7), data.challenge))
    wanted = {case.case.name: case.label_voxels for case in plain.cases}
    assert by_name["HEART_001"].label_voxels == wanted["MBAS_005"]
    assert by_name["MBAS_001"].label_voxels == wanted["MBAS_001"]


def test_an_ignored_label_may_become_background(data, hearts):
    found = add_extra_cases(data, [hearts], ExtraRules(label_names={"vein": "background"}))
    assert found.ignore_value is None
    assert check_dataset(found).errors == ()


def test_a_value_that_the_other_challenge_lacks_is_a_problem_of_its_case(data, hearts):
    file = hearts.folder / "HEART_001_label.nii.gz"
    labels = nib.load(file)
    # A value of the run's challenge, not of theirs
    nib.save(
        nib.Nifti1Image(np.where(np.asarray(labels.dataobj) == 4, 3, 0).astype(np.uint8), labels.affine), file
    )
    (error,) = check_dataset(add_extra_cases(data, [hearts], VEIN)).errors
    assert (error.code, error.case) == ("LABEL_VALUE", "HEART_001")
    assert "4 wall, 5 vein of hearts" in error.message


def test_a_sample_is_drawn_by_its_seed(data, hearts):
    drawn = [
        names(add_extra_cases(data, [ExtraData(hearts.folder, hearts.challenge, sample=2)], rules))[:2]
        for rules in (ExtraRules(seed=seed, label_names={"vein": "ignore"}) for seed in (1, 1, 2, 3, 4))
    ]
    assert drawn[0] == drawn[1]
    assert len({tuple(one) for one in drawn}) > 1
    assert all(name.startswith("HEART") for one in drawn for name in one)
    with pytest.raises(UsageError, match="--sample 9 of 3 cases of other patients; expected at most 3"):
        add_extra_cases(data, [ExtraData(hearts.folder, hearts.challenge, sample=9)], VEIN)


def test_a_patient_in_two_folders_counts_once(data, tmp_path):
    other = write_data(tmp_path / "other", 5)
    found = add_extra_cases(data, [ExtraData(other), ExtraData(other)], ExtraRules())
    assert names(found) == [f"MBAS_{n:03d}" for n in (1, 2, 3, 4, 5)]
    assert found.training_only == ("MBAS_005",)
    notices = [problem for problem in found.problems if problem.code == "PATIENT_TWICE"]
    assert [notice.is_error for notice in notices] == [False, False]
    assert "4 cases left out" in notices[0].message
    assert "5 cases left out" in notices[1].message


def test_a_scan_under_another_name_in_further_data_is_an_error(data, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(data.folder, other)
    for file in sorted(other.iterdir()):
        file.rename(file.with_name(file.name.replace("MBAS_0", "MBAS_1")))
    errors = check_dataset(add_extra_cases(data, [ExtraData(other)], ExtraRules())).errors
    assert {(error.code, error.case) for error in errors} == {
        ("SAME_IMAGE", f"MBAS_10{n}") for n in (1, 2, 3, 4)
    }


def test_folds_that_validate_further_data_are_refused(data, hearts, tmp_path):
    found = add_extra_cases(data, [hearts], VEIN)
    file = tmp_path / "folds.yaml"
    write_folds(make_folds(data.cases, 2), file)
    # Cases of further data need not be listed
    assert read_folds(file, found.cases).training_only == ("HEART_001", "HEART_002", "HEART_003")
    file.write_text(file.read_text().replace("MBAS_001", "HEART_001"))
    with pytest.raises(DataError, match="validates HEART_001, which is a case of further data"):
        read_folds(file, found.cases)


def test_further_data_may_be_divided_into_the_folds(data, tmp_path, hearts):
    other = write_data(tmp_path / "other", 6)
    found = add_extra_cases(data, [ExtraData(other)], ExtraRules(in_folds=True))
    folds = make_folds(found.cases, 2)
    assert folds.training_only == ()
    assert sorted(name for fold in folds.validation for name in fold) == names(found)
    with pytest.raises(UsageError, match=r"label values of hearts are not those of mbas2024.*--train-only"):
        add_extra_cases(data, [hearts], ExtraRules(in_folds=True, label_names={"vein": "ignore"}))


def test_a_label_name_that_no_folder_has_is_refused(data, hearts):
    with pytest.raises(UsageError, match="--extra-label veins: no such label; expected a label of"):
        add_extra_cases(data, [hearts], ExtraRules(label_names={"vein": "ignore", "veins": "ignore"}))


def test_a_folder_of_another_challenge_names_the_option(data, hearts):
    with pytest.raises(UsageError, match=r"no case of mbas2024.*--extra-challenge"):
        add_extra_cases(data, [ExtraData(hearts.folder)], ExtraRules())


def test_missing_channels_are_refused(data, tmp_path):
    folder = tmp_path / "brains"
    case = folder / "BraTS-GLI-00001-000"
    case.mkdir(parents=True)
    for channel in ("t1c", "t1n", "t2f", "t2w", "seg"):
        (case / f"{case.name}-{channel}.nii.gz").touch()
    rules = ExtraRules(label_names={"NCR": "background", "ED": "background", "ET": "LA"})
    with pytest.raises(UsageError, match="brats2023-gli has no channel lge"):
        add_extra_cases(data, [ExtraData(folder, "brats2023-gli")], rules)
