import numpy as np
import pytest

from segcube.spec.submission import Fill, KeepComponents, Nest, Retry, Threshold
from segcube.transforms.region_rules import decide_regions, nest, retry


@pytest.fixture
def written(digits):
    """Masks as rows of digits."""
    return lambda masks: {name: digits(mask_xyz) for name, mask_xyz in masks.items()}


def test_thresholds_bind_their_regions_alone(regions, written):
    rules = [Threshold(rule="threshold", at={"ET": 0.8})]

    masks = decide_regions(regions(ET=[0.7, 0.9], WT=[0.7, 0.9]), rules)

    assert written(masks) == {"ET": "01", "WT": "11"}


def test_nested_regions_hold_the_inner_ones(mask, digits):
    nested = nest([mask("1000"), mask("0100"), mask("0010")])

    assert [digits(mask_xyz) for mask_xyz in nested] == ["1000", "1100", "1110"]


def test_an_empty_region_is_tried_again_below_its_highest(regions, mask, digits):
    probabilities = regions(WT=[0.1, 0.2, 0.4, 0.3, 0])

    assert (
        digits(retry(Retry(rule="retry", region="WT", factor=0.5), mask("00000"), probabilities)) == "00110"
    )


def test_a_region_without_any_probability_stays_empty(regions, mask):
    assert not retry(Retry(rule="retry", region="WT"), mask("000"), regions(WT=[0, 0, 0])).any()


def test_a_region_that_is_there_is_not_tried_again(regions, mask, digits):
    probabilities = regions(WT=[0.9, 0.6, 0.1])

    assert digits(retry(Retry(rule="retry", region="WT"), mask("100"), probabilities)) == "100"


def test_rules_act_in_their_order(regions, written):
    probabilities = regions(ET=[0.9, 0, 0, 0.9, 0.9], WT=[0, 0, 0, 0.6, 0])
    keep = KeepComponents(rule="keep_components", region="WT", min_voxels=2)
    join = Nest(rule="nest", order=("ET", "WT"))

    assert written(decide_regions(probabilities, [keep, join]))["WT"] == "10011"
    assert written(decide_regions(probabilities, [join, keep]))["WT"] == "00011"


def test_a_filter_looks_at_objects_as_the_rules_so_far_left_them(regions, written):
    probabilities = regions(ET=[0.9, 0, 0.9, 0.9], WT=[0.9, 0, 0.9, 0.9])
    objects = KeepComponents(rule="keep_components", region="ET", min_voxels=2)
    holders = KeepComponents(rule="keep_components", region="WT", min_voxels=9, unless_holds={"region": "ET"})

    assert written(decide_regions(probabilities, [objects, holders])) == {"ET": "0011", "WT": "0011"}
    assert written(decide_regions(probabilities, [holders])) == {"ET": "1011", "WT": "1011"}


def test_holes_are_filled(regions):
    probabilities = regions(WT=[0] * 27)
    values = np.full((1, 3, 3, 3), 0.9, dtype=np.float32)
    values[0, 1, 1, 1] = 0
    hollow = type(probabilities)(("WT",), "regions", values)

    assert decide_regions(hollow, [Fill(rule="fill", regions=("WT",))])["WT"].all()
