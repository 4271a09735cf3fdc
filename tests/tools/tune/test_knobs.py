import pytest

from segcube.spec.submission import KeepComponents
from segcube.tools.tune.search_space import FilterKnob, ThresholdKnob, WeightKnob, knob_blocks, starting_point

NAMES = ("TC", "WT")


@pytest.fixture
def start():
    rules = [KeepComponents(rule="keep_components", region="WT", connectivity=6, min_voxels=60)]
    return starting_point(rules, NAMES, "regions", ((1.0, 1.0), (1.0, 1.0)))


def test_values_begin_with_the_present_one_and_go_outwards(start):
    assert ThresholdKnob("WT").values(start)[:3] == [0.5, 0.4, 0.6]
    assert FilterKnob(2, "WT", "min_voxels").values(start)[:3] == [60, 50, 25]
    assert FilterKnob(2, "WT", "max_count").values(start)[0] is None


def test_a_fine_threshold_goes_a_small_step_within_its_bounds(start):
    assert ThresholdKnob("WT", fine=True).values(start) == [0.5, 0.45, 0.55]
    edge = ThresholdKnob("WT").turn(start, 0.1)
    assert ThresholdKnob("WT", fine=True).values(edge) == [0.1, 0.15]


def test_a_threshold_turns_alone(start):
    turned = ThresholdKnob("WT").turn(start, 0.3)
    assert turned.thresholds == {"TC": 0.5, "WT": 0.3}
    assert turned.rules[1:] == start.rules[1:]


def test_a_filter_keeps_what_is_not_searched(start):
    turned = FilterKnob(2, "WT", "min_voxels").turn(start, 100)
    assert turned.rules[2].min_voxels == 100
    assert turned.rules[2].connectivity == 6


def test_a_weight_turns_alone(start):
    assert WeightKnob(1, 0, "").turn(start, 0.25).weights == ((1.0, 1.0), (0.25, 1.0))


def test_blocks_hold_every_knob_of_every_region(start):
    names = {knob.name for block in knob_blocks(start, NAMES, ["a", "b"]) for knob in block}
    fields = ("threshold", "min_voxels", "min_mean_probability", "max_count", "weight of a", "weight of b")
    assert names == {f"{region} {field}" for region in NAMES for field in fields}


def test_the_filter_of_its_own_region_is_searched(start):
    knobs = [
        knob for block in knob_blocks(start, NAMES, []) for knob in block if knob.name == "WT min_voxels"
    ]
    assert [knob.value(start) for knob in knobs] == [60]


def test_without_members_no_weight_is_searched(start):
    for members in ([], ["one"]):
        blocks = knob_blocks(start, NAMES, members)
        assert not any("weight" in knob.name for block in blocks for knob in block)


def test_labels_have_weights_alone():
    start = starting_point([], ("background", "LA"), "labels", ((1.0, 1.0), (1.0, 1.0)))
    names = [knob.name for block in knob_blocks(start, ("background", "LA"), ["a", "b"]) for knob in block]
    assert names == ["background weight of a", "background weight of b", "LA weight of a", "LA weight of b"]
