from segcube.spec.submission import KeepComponents, LargestComponent, Nest, Threshold
from segcube.tools.tune.search_space import Point, starting_point, written_rules, written_weights

NEST = Nest(rule="nest", order=("ET", "TC", "WT"))
FILTER = KeepComponents(rule="keep_components", region="WT", min_voxels=9, unless_holds={"region": "ET"})


def test_every_region_gets_a_threshold_and_a_filter():
    own = Threshold(rule="threshold", at={"ET": 0.4})
    start = starting_point([own, FILTER, NEST], ("TC", "WT", "ET"), "regions", ((1, 1, 1),))
    assert start.thresholds == {"TC": 0.5, "WT": 0.5, "ET": 0.4}
    assert [getattr(rule, "region", rule.rule) for rule in start.rules] == [
        "threshold",
        "TC",
        "ET",
        "WT",
        "nest",
    ]
    assert start.rules[3] == FILTER


def test_filters_that_keep_everything_are_not_written():
    start = starting_point([FILTER, NEST], ("TC", "WT", "ET"), "regions", ((1, 1, 1),))
    assert [rule.rule for rule in written_rules(start)] == ["threshold", "keep_components", "nest"]


def test_a_stage_of_labels_keeps_its_rules():
    rule = LargestComponent(rule="largest_component", labels=("LA",))
    assert starting_point([rule], ("background", "LA"), "labels", ((1, 1),)).rules == (rule,)


def test_a_channel_that_nobody_speaks_for_is_unsound():
    assert Point((), ((1, 0), (0, 1))).sound
    assert not Point((), ((1, 0), (1, 0))).sound


def test_weights_are_written_a_member():
    point = Point((), ((1, 0.5), (0, 1)))
    assert written_weights(point, ["a.safetensors", "b.safetensors"], ["TC", "WT"]) == {
        "a.safetensors": {"TC": 1, "WT": 0.5},
        "b.safetensors": {"TC": 0, "WT": 1},
    }
