from __future__ import annotations

import pytest

from segcube.release.check.map_labels import edition_hint
from segcube.spec.challenges import load_challenge


@pytest.mark.parametrize(
    ("found", "key", "told"),
    [
        ({0, 1, 2, 4}, "brats2023-gli", "in brats2021-gli ET is 4, not 3"),
        ({0, 4}, "brats2024-ssa", "in brats2021-gli ET is 4, not 3"),
        ({0, 1, 2, 3}, "brats2021-gli", "ET is 3, not 4"),
        ({0, 1, 2, 3, 4}, "mbas2024", "in mbas2026 RA is 3, not 2, LA is 4, not 3"),
    ],
)
def test_values_of_another_edition_are_explained(found, key, told):
    assert told in edition_hint(frozenset(found), load_challenge(key))


@pytest.mark.parametrize("found", [{0, 255}, {0, 1, 7}])
def test_values_that_no_edition_has_are_not(found):
    assert edition_hint(frozenset(found), load_challenge("brats2023-gli")) == ""


def test_other_channels_are_another_matter():
    assert edition_hint(frozenset({0, 4}), load_challenge("brats2024-men-rt")) == ""


def test_an_exact_hint_needs_every_value():
    assert edition_hint(frozenset({0, 1, 2}), load_challenge("brats2023-gli"), exact=True) == ""
