import pytest

from segcube.core import UsageError
from segcube.spec import patient_of, split

CASES = [f"BraTS-GLI-{patient:05d}-{scan:03d}" for patient in range(7) for scan in range(1 + patient % 3)]


@pytest.mark.parametrize(
    ("case", "patient"),
    [
        ("BraTS-GLI-00012-101", "BraTS-GLI-00012"),
        ("BraTS-MEN-RT-0123-1", "BraTS-MEN-RT-0123"),
        ("BraTS-GoAT-00012", "BraTS-GoAT-00012"),
        ("BraTS2021_00012", "BraTS2021_00012"),
        ("MBAS_001", "MBAS_001"),
    ],
)
def test_a_case_belongs_to_its_patient(case, patient):
    assert patient_of(case) == patient


def test_no_patient_stands_on_both_sides():
    for fold in split(CASES, 4, seed=3):
        fitted = {patient_of(CASES[index]) for index in fold.fitted}
        assert not fitted & {patient_of(CASES[index]) for index in fold.held_out}


def test_every_case_is_held_out_once():
    held_out = [index for fold in split(CASES, 4, seed=3) for index in fold.held_out]
    assert sorted(held_out) == list(range(len(CASES)))


def test_folds_are_nearly_equal_in_patients():
    sizes = [len({patient_of(CASES[i]) for i in fold.held_out}) for fold in split(CASES, 3, seed=0)]
    assert sorted(sizes) == [2, 2, 3]


def test_the_seed_deals_the_patients():
    assert split(CASES, 3, seed=1) == split(CASES, 3, seed=1)
    assert split(CASES, 3, seed=1) != split(CASES, 3, seed=2)


def test_few_patients_give_a_fold_each():
    assert len(split(["MBAS_001", "MBAS_002"], 5, seed=0)) == 2


def test_one_patient_cannot_be_held_out():
    with pytest.raises(UsageError, match=r"1 patient\(s\)"):
        split(["BraTS-GLI-00001-000", "BraTS-GLI-00001-001"], 5, seed=0)
