import pytest

from segcube.core import UsageError
from segcube.spec import patient_of, split_by_patient

CASES = [f"BraTS-GLI-{patient:05d}-{scan:03d}" for patient in range(7) for scan in range(1 + patient % 3)]


def test_patients_of_cases():
    patients = {"BraTS-GLI-00012-101": "BraTS-GLI-00012", "BraTS-MEN-RT-0123-1": "BraTS-MEN-RT-0123"}
    assert {case: patient_of(case) for case in patients} == patients


def test_a_name_without_a_scans_number_is_a_patient():
    cases = ["BraTS-GoAT-00012", "BraTS2021_00012", "MBAS_001"]
    assert [patient_of(case) for case in cases] == cases


def test_no_patient_is_in_training_and_validation():
    for fold in split_by_patient(CASES, 4, seed=3):
        trained = {patient_of(CASES[index]) for index in fold.training}
        assert not trained & {patient_of(CASES[index]) for index in fold.validation}


def test_every_case_is_validated_once():
    validated = [index for fold in split_by_patient(CASES, 4, seed=3) for index in fold.validation]
    assert sorted(validated) == list(range(len(CASES)))


def test_folds_have_nearly_equal_numbers_of_patients():
    sizes = [
        len({patient_of(CASES[i]) for i in fold.validation}) for fold in split_by_patient(CASES, 3, seed=0)
    ]
    assert sorted(sizes) == [2, 2, 3]


def test_the_seed_decides_the_split():
    assert split_by_patient(CASES, 3, seed=1) == split_by_patient(CASES, 3, seed=1)
    assert split_by_patient(CASES, 3, seed=1) != split_by_patient(CASES, 3, seed=2)


def test_few_patients_are_a_fold_each():
    assert len(split_by_patient(["MBAS_001", "MBAS_002"], 5, seed=0)) == 2


def test_one_patient_is_an_error():
    with pytest.raises(UsageError, match=r"1 patient"):
        split_by_patient(["BraTS-GLI-00001-000", "BraTS-GLI-00001-001"], 5, seed=0)


def test_patients_may_be_given():
    fold, other = split_by_patient(["a", "b", "c"], 5, seed=0, patients_of_cases=["p", "q", "p"])
    assert {fold.validation, other.validation} == {(0, 2), (1,)}
