"""Where patches lie; the frequencies of nnU-Net's loader are compared in tests/oracle."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from segcube.core import UsageError
from segcube.training.cache import CacheRules
from segcube.training.keys import StepKey
from segcube.training.patches import initial_patch, is_dummy_2d
from segcube.training.recipes import Spatial
from segcube.training.sampling import draw_patches

from .cached import CHALLENGE, cache_of, small_branch, small_rules, write_scan

SHAPE = (10, 8, 9)
VOXELS = {"NCR": (1, 2, 3), "ED": (5, 7, 0), "ET": (9, 0, 8)}
LABELS = np.zeros(SHAPE)
for _value, _voxel in enumerate(VOXELS.values(), start=1):
    LABELS[_voxel] = _value


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """A case with one voxel of each class, and one without."""
    folder = tmp_path_factory.mktemp("sampling")
    scans = [write_scan(folder, "labelled", LABELS), write_scan(folder, "empty", np.zeros((4, 12, 9)))]
    return cache_of(folder / "cache", scans)


def draws(cases, sampling, steps=300, patch=(4, 4, 4), batch=2):
    spatial = {"rotation": None, "scaling": None}
    overrides = {"sampling": sampling, "augmentation": {"spatial": spatial}}
    rules = small_rules(patch, overrides=overrides, batch=batch)
    keys = [StepKey(0, step) for step in range(steps)]
    return [draw for key in keys for draw in draw_patches(cases, rules, key, range(batch))]


def starts(found, patch=(4, 4, 4)):
    return np.array([np.array(draw.centre) - (np.array(patch) - 1) / 2 for draw in found])


@pytest.mark.parametrize(
    ("batch", "foreground", "forced"),
    [(2, 0.33, [1]), (3, 0.33, [2]), (6, 0.33, [4, 5]), (2, 1, [0, 1]), (2, 0, []), (2, 0.25, [])],
)
def test_the_last_samples_of_a_batch_are_forced(cases, batch, foreground, forced):
    # round(2 x 0.67) = 1, round(3 x 0.67) = 2, round(6 x 0.67) = 4, round(2 x 0.75) = 2
    found = draws(cases[:1], {"foreground": foreground}, steps=3, batch=batch)
    assert {draw.sample for draw in found if draw.forced} == set(forced)
    assert sum(draw.forced is not None for draw in found) == 3 * len(forced)


def test_foreground_is_forced_until_it_changes(cases):
    changes = [{"after": 0.5, "foreground": 0.0}]
    overrides = {"sampling": {"foreground": 1, "changes": changes}, "steps": 10}
    rules = small_rules((4, 4, 4), overrides=overrides)
    forced = [
        [draw.forced is not None for draw in draw_patches(cases[:1], rules, StepKey(0, step), range(2))]
        for step in (0, 4, 5, 9)
    ]
    assert forced == [[True, True], [True, True], [False, False], [False, False]]


def test_slices_are_equally_likely_however_many_voxels_they_have(tmp_path):
    """Of the class NCR, slice 2 along x has one voxel and slice 7 has 36."""
    labels = np.zeros(SHAPE)
    labels[2, 3, 3] = labels[7, 1:7, 1:7] = 1
    cases = cache_of(tmp_path / "cache", [write_scan(tmp_path, "scan", labels)])
    sampling = {"foreground": 1, "class_weights": {"NCR": 1}, "voxels": "slices"}
    found = starts(draws(cases, sampling, steps=200, patch=(1, 1, 1)), (1, 1, 1))
    share = np.mean(found[:, 0] == 2)
    assert 0.42 < share < 0.58


def test_samples_beyond_a_batch_are_forced_alike(cases):
    rules = small_rules((4, 4, 4))
    found = draw_patches(cases[:1], rules, StepKey(0, 0), range(4))
    assert [draw.forced is not None for draw in found] == [False, True, False, True]


def test_samples_are_forced_with_a_probability(cases):
    found = draws(cases[:1], {"foreground": 0.7, "draw": "probability"}, steps=500)
    for sample in range(2):
        share = np.mean([draw.forced is not None for draw in found if draw.sample == sample])
        assert share == pytest.approx(0.7, abs=0.08)


def test_cases_and_classes_are_equally_likely(cases):
    found = draws(cases, {"foreground": 1})
    assert np.mean([draw.case for draw in found]) == pytest.approx(0.5, abs=0.08)
    counts = Counter(draw.forced for draw in found if draw.case == 0)
    assert set(counts) == set(VOXELS)
    assert min(counts.values()) > 0.75 * max(counts.values())


def test_a_case_without_foreground_gives_random_patches(cases):
    found = [draw for draw in draws(cases, {"foreground": 1}) if draw.case == 1]
    assert {draw.forced for draw in found} == {None}
    assert len({draw.centre for draw in found}) > 20


def test_classes_are_drawn_by_their_weights(cases):
    found = draws(cases[:1], {"foreground": 1, "class_weights": {"NCR": 3, "ET": 1}})
    counts = Counter(draw.forced for draw in found)
    assert set(counts) == {"NCR", "ET"}
    assert counts["NCR"] / len(found) == pytest.approx(0.75, abs=0.07)
    assert {draw.forced for draw in draws(cases[:1], {"foreground": 1, "class_weights": {"WT": 1}})} == {None}


def test_a_forced_voxel_lies_behind_half_of_the_patch(cases):
    found = draws(cases[:1], {"foreground": 1})
    for draw, start in zip(found, starts(found), strict=True):
        # nnU-Net bounds the start from below only
        assert start.tolist() == [max(0, at - 2) for at in VOXELS[draw.forced]]


def test_a_forced_patch_inside_stays_in_the_case(cases):
    found = draws(cases[:1], {"foreground": 1, "position": "inside"})
    for draw, start in zip(found, starts(found), strict=True):
        voxel = VOXELS[draw.forced]
        expected = [min(max(0, at - 2), size - 4) for at, size in zip(voxel, SHAPE, strict=True)]
        assert start.tolist() == expected


@pytest.mark.parametrize(
    ("patch", "position", "expected"),
    [
        # A patch of 8 is cut from int(8 / 0.85) = 9: one more, half of it rounded up on each side, plus the
        # half voxel from the middle of the 9 to that of the 8
        ((8, 8, 8), "nnunet", [(-0.5, 2.5), (-0.5, 0.5), (-0.5, 1.5)]),
        ((4, 4, 4), "nnunet", [(0, 6), (0, 4), (0, 5)]),
        ((4, 4, 4), "inside", [(0, 6), (0, 4), (0, 5)]),
        # Larger than the case along y and z: in the middle
        ((8, 11, 12), "inside", [(0, 2), (-1, -1), (-1, -1)]),
    ],
)
def test_the_range_of_random_places(cases, patch, position, expected):
    found = starts(draws(cases[:1], {"foreground": 0, "position": position}, patch=patch), patch)
    assert [tuple(ends) for ends in np.stack([found.min(axis=0), found.max(axis=0)], axis=1)] == expected
    for axis, (low, high) in enumerate(expected):
        counts = Counter(found[:, axis])
        assert len(counts) == high - low + 1
        assert min(counts.values()) > 0.5 * max(counts.values())


def test_where_voxels_may_be_ignored_a_random_patch_shows_a_known_one(tmp_path):
    labels = np.full(SHAPE, 9)
    labels[4, 4, 4], labels[6, 5, 5] = 0, 2
    scan = write_scan(tmp_path, "case", labels)
    cases = cache_of(tmp_path / "cache", [scan], CacheRules(small_branch(), CHALLENGE, ignore=9))
    found = draws(cases, {"foreground": 0.33})
    assert {draw.forced for draw in found if draw.sample == 1} == {"ED"}
    random = {tuple(start) for draw, start in zip(found, starts(found), strict=True) if draw.sample == 0}
    assert random == {(2, 2, 2), (4, 3, 3)}


def test_draws_depend_on_seed_step_and_sample_alone(cases):
    rules = small_rules((4, 4, 4))
    both = draw_patches(cases, rules, StepKey(1, 5), range(2))
    assert draw_patches(cases, rules, StepKey(1, 5), [1]) == both[1:]
    assert draw_patches(cases, rules, StepKey(1, 6), range(2)) != both


def test_no_case_is_an_error():
    with pytest.raises(UsageError, match="no training case"):
        draw_patches((), small_rules(), StepKey(0, 0), range(2))


def test_the_first_crop_of_a_turned_patch():
    # A cube of 128 turned by 30 degrees: 128 (cos 30 + sin 30) / 0.85 = 205.7
    spatial = Spatial.model_validate({"rotation": {"p": 0.2}})
    assert initial_patch(spatial, (128, 128, 128)) == (205, 205, 205)
    # Turned by 90 degrees within slices: the larger of both sides / 0.85
    assert is_dummy_2d(spatial, (20, 256, 224))
    assert initial_patch(spatial, (20, 256, 224)) == (20, 301, 301)
    assert initial_patch(Spatial(), (17, 17, 17)) == (20, 20, 20)
