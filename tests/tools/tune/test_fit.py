import numpy as np
import pytest

from segcube.tools.tune.crossvalidation import fit, mean_score
from segcube.tools.tune.search_space import knob_blocks, starting_point

NAMES = ("TC", "WT", "ET")


def search(panel, cases, members=()):
    start = starting_point([], NAMES, "regions", ((1.0, 1.0, 1.0),) * max(1, len(members)))
    return start, fit(panel, start, knob_blocks(start, NAMES, members), range(cases))


def test_the_best_threshold_is_found_and_the_nearest_of_equals_taken(seat, make_case):
    # Between 0.05 around and 0.35 inside every bound is right: 0.3 is the nearest to 0.5 of the coarse ones
    start, point = search(seat(make_case()), 1)
    assert point.thresholds["WT"] == pytest.approx(0.3)
    assert point.thresholds["TC"] == start.thresholds["TC"]


def test_a_low_threshold_is_found_together_with_the_filter_that_it_needs(seat, make_case):
    panel = seat(make_case(inside=0.35, specks=0.42))
    _, point = search(panel, 1)
    keep = next(rule for rule in point.rules if getattr(rule, "region", "") == "WT")
    assert point.thresholds["WT"] == pytest.approx(0.3)
    assert keep.min_voxels == 10
    assert mean_score(panel.scores(point, [0])) == 1.0


def test_a_member_that_is_wrong_loses_its_say(seat, make_case):
    wrong_kxyz = np.zeros((3, 16, 12, 10), np.float16)
    wrong_kxyz[NAMES.index("WT"), 10:] = 0.9
    panel = seat(make_case(inside=0.6, members=[wrong_kxyz]))
    _, point = search(panel, 1, ["good", "wrong"])
    good, wrong = (row[NAMES.index("WT")] for row in point.weights)
    assert wrong < good
    assert mean_score(panel.scores(point, [0])) == 1.0


def test_own_values_stay_where_nothing_gains(seat, make_case):
    start, point = search(seat(make_case(inside=0.9)), 1)
    assert point == start


def test_no_case_leaves_the_start(seat, make_case):
    start, point = search(seat(make_case()), 0)
    assert point == start
