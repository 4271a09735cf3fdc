import pytest

from segcube.core import UsageError
from segcube.training.run import parse_fold, parse_folds


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
