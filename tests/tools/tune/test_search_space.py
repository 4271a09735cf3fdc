import pytest

from segcube.spec.submission import KeepComponents, LargestComponent, Nest, Threshold
from segcube.tools.tune.search_space import active_rules, build_search_space, candidates

NAMES = ("TC", "WT")
FIELDS = ("threshold", "min_voxels", "min_mean_probability", "max_count")
KEEP = KeepComponents(rule="keep_components", region="WT", connectivity=6, min_voxels=60)
NEST = Nest(rule="nest", order=("TC", "WT"))
ROWS = ((1.0, 1.0), (1.0, 1.0))


@pytest.fixture
def space():
    return build_search_space([KEEP, NEST], NAMES, "regions", ["a", "b"], ROWS)


def test_candidates_begin_with_the_present_value_and_go_outwards():
    assert candidates(0.5, (0.1, 0.3, 0.4, 0.6)) == [0.5, 0.4, 0.6, 0.3, 0.1]
    assert candidates(60, (0, 50, 25)) == [60, 50, 25, 0]
    assert candidates(None, (None, 1, 2)) == [None, 1, 2]


def test_fine_thresholds_stay_within_the_bounds():
    assert candidates(0.5, ()) == [0.5, 0.45, 0.55]
    assert candidates(0.1, ()) == [0.1, 0.15]


def test_every_region_gets_a_threshold_and_a_filter():
    own = Threshold(rule="threshold", at={"WT": 0.4})
    space = build_search_space([own, KEEP, NEST], ("TC", "WT", "ET"), "regions", [], ((1, 1, 1),))
    rules = space.rules_at(space.start)
    assert rules[0].at == {"TC": 0.5, "WT": 0.4, "ET": 0.5}
    assert [getattr(rule, "region", rule.rule) for rule in rules[1:]] == ["TC", "ET", "WT", "nest"]
    assert rules[3] == KEEP
    assert [rule.rule for rule in active_rules(rules)] == ["threshold", "keep_components", "nest"]


def test_a_filter_value_changes_its_own_rule_alone(space):
    values = {"min_voxels": 7, "min_mean_probability": 0.5, "max_count": 1}
    point = space.start | {f"WT {field}": value for field, value in values.items()}
    before, after = space.rules_at(space.start), space.rules_at(point)
    changed = [index for index in range(len(before)) if before[index] != after[index]]
    assert [before[index] for index in changed] == [KEEP]
    assert after[changed[0]] == KEEP.model_copy(update=values)


def test_a_weight_changes_alone(space):
    assert space.weights_at({**space.start, "TC weight of b": 0.25}) == ((1.0, 1.0), (0.25, 1.0))


def test_every_channel_needs_a_weight(space):
    assert space.is_valid({**space.start, "TC weight of a": 0, "WT weight of b": 0})
    assert not space.is_valid({**space.start, "TC weight of a": 0, "TC weight of b": 0})


def test_blocks_hold_every_parameter(space):
    names = {name for block in space.blocks for name in block}
    expected = {f"{region} {field}" for region in NAMES for field in (*FIELDS, "weight of a", "weight of b")}
    assert names == expected == set(space.start)


def test_the_weight_of_a_single_member_is_not_searched():
    space = build_search_space([], NAMES, "regions", ["one"], ROWS[:1])
    assert not any("weight" in name for block in space.blocks for name in block)
    assert space.weights_at(space.start) == ROWS[:1]


def test_a_stage_of_labels_keeps_its_rules_and_has_weights_alone():
    rule = LargestComponent(rule="largest_component", labels=("LA",))
    space = build_search_space([rule], ("background", "LA"), "labels", ["a", "b"], ROWS)
    assert space.rules_at(space.start) == (rule,)
    assert [name for block in space.blocks for name in block] == [
        "background weight of a",
        "background weight of b",
        "LA weight of a",
        "LA weight of b",
    ]
