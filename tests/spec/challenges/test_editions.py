import pytest

from segcube.spec.challenges import edition_hint, load_challenge


@pytest.mark.parametrize(
    ("found", "key", "printed"),
    [
        ({0, 1, 2, 4}, "brats2023-gli", "in brats2021-gli ET is 4, not 3"),
        ({0, 4}, "brats2024-ssa", "in brats2021-gli ET is 4, not 3"),
        ({0, 1, 2, 3}, "brats2021-gli", "ET is 3, not 4"),
        ({0, 1, 2, 3, 4}, "mbas2024", "in mbas2026 RA is 3, not 2, LA is 4, not 3"),
    ],
)
def test_values_of_another_edition_are_explained(found, key, printed):
    assert printed in edition_hint(frozenset(found), load_challenge(key))


def test_values_of_no_edition_give_no_hint():
    assert edition_hint(frozenset({0, 1, 7}), load_challenge("brats2023-gli")) == ""


def test_challenges_with_other_channels_give_no_hint():
    assert edition_hint(frozenset({0, 4}), load_challenge("brats2024-men-rt")) == ""


def test_an_exact_hint_needs_every_value():
    assert edition_hint(frozenset({0, 1, 2}), load_challenge("brats2023-gli"), exact=True) == ""
