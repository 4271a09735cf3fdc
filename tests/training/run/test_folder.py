from pathlib import Path

import pytest

from segcube.core import UsageError
from segcube.training.run import RunFolder, parse_fold, parse_folds, read_dataset
from segcube.training.run.cases import CaseEntry, DatasetFile, write_dataset


@pytest.mark.parametrize(
    ("text", "folds"),
    [("0", [0]), ("2,0", [2, 0]), ("0-2, 1,4", [0, 1, 2, 4]), ("all", ["all"]), ("3-2", [])],
)
def test_folds_are_parsed(text, folds):
    assert parse_folds(text) == folds


@pytest.mark.parametrize("text", ["", "-1", "a", "1-", "0-9999999999", "1.5"])
def test_other_texts_are_refused(text):
    with pytest.raises(UsageError, match="expected a number such as 0, or all"):
        parse_folds(text)


def test_a_fold_is_a_number_or_all():
    assert parse_fold("all") == "all"
    assert parse_fold("12") == 12


def test_a_data_set_of_thousands_of_cases_is_read_back(tmp_path):
    channels = ("t1n", "t1c", "t2w", "t2f")
    cases = [
        CaseEntry(
            name=f"BraTS-GLI-{number:05d}-000",
            files={name: Path(f"/data/{number:05d}/{name}.nii.gz") for name in channels},
            label=Path(f"/data/{number:05d}/seg.nii.gz"),
            patient=f"BraTS-GLI-{number:05d}",
        )
        for number in range(2000)
    ]
    dataset = DatasetFile(data=Path("/data"), challenge="brats2023-gli", reference="t1c", cases=cases)
    run = RunFolder(tmp_path)
    run.plan.touch()
    write_dataset(dataset, run)
    assert read_dataset(run) == dataset
