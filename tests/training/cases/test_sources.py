import numpy as np
import pytest

from segcube.core import UsageError
from segcube.spec.challenges import load_challenge
from segcube.training.cases import Source
from segcube.training.cases.sources import match_label_names, replace_values

AFRICA, ADULTS, TREATED = map(load_challenge, ("brats2024-ssa", "brats2023-gli", "brats2024-gli"))


def test_labels_match_by_name_and_synonym():
    names = match_label_names(ADULTS, AFRICA)
    assert names == {"background": "background", "NCR": "NETC", "ED": "SNFH", "ET": "ET"}


def test_values_follow_the_names():
    """BraTS 2021 stores ET as 4."""
    old = load_challenge("brats2021-gli")
    source = Source(old, match_label_names(old, AFRICA))
    assert source.values(AFRICA, None) == {0: 0, 1: 1, 2: 2, 4: 3}


def test_a_label_without_a_match_is_refused_and_may_be_named():
    with pytest.raises(UsageError, match=r"brats2024-gli has labels that .* not have: RC.*RC=ignore"):
        match_label_names(TREATED, AFRICA)
    names = match_label_names(TREATED, AFRICA, {"RC": "ignore"})
    source = Source(TREATED, names)
    assert source.ignores
    assert source.values(AFRICA, 99) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 99}


def test_an_own_ignore_value_becomes_that_of_the_run():
    source = Source(AFRICA, match_label_names(AFRICA, AFRICA), ignore=7)
    assert source.values(AFRICA, 99) == {7: 99, 0: 0, 1: 1, 2: 2, 3: 3}


def test_an_unknown_target_is_refused():
    with pytest.raises(UsageError, match="brats2024-ssa has no label CYST; expected one of background, NETC"):
        match_label_names(TREATED, AFRICA, {"RC": "CYST"})


def test_values_are_replaced_at_once_and_not_one_after_another():
    labels_xyz = np.array([[[0, 1, 2, 4]]], np.uint8)
    assert replace_values(labels_xyz, {0: 0, 1: 2, 2: 1, 4: 65535}).tolist() == [[[0, 2, 1, 65535]]]
