from pathlib import Path

import pytest

from segcube.cli.base.extra import extra_data, extra_rules
from segcube.core import UsageError
from segcube.training.cases import ExtraData

ONE, TWO = Path("one"), Path("two")


def test_a_single_value_holds_for_every_folder():
    assert extra_data([ONE, TWO], ["brats2023-gli"], None, ["60"]) == (
        ExtraData(ONE, "brats2023-gli", None, 60),
        ExtraData(TWO, "brats2023-gli", None, 60),
    )


def test_several_values_are_those_of_each_folder_in_turn():
    found = extra_data([ONE, TWO], ["a", "b"], [TWO, ONE], ["60", "all"])
    assert found == (ExtraData(ONE, "a", TWO, 60), ExtraData(TWO, "b", ONE, None))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((None, ["a"], None, None), "--extra-challenge 1 time for 0 --extra folders"),
        (([ONE, TWO], None, [ONE], None), "--extra-ref 1 time for 2 --extra folders; expected once for each"),
        (([ONE], None, None, ["0"]), "--sample 0; expected a number from 1, or all"),
    ],
)
def test_options_that_do_not_fit_the_folders_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        extra_data(*options)


def test_labels_are_pairs_of_names():
    assert extra_rules(["RC=ignore"], 3, in_folds=False).label_names == {"RC": "ignore"}
    with pytest.raises(UsageError, match="--extra-label RC; expected NAME=NAME"):
        extra_rules(["RC"], 1, in_folds=False)
