import numpy as np
import pytest

from segcube.spec.challenges import load_challenge
from segcube.spec.submission import (
    Fill,
    KeepComponents,
    LargestComponent,
    Nest,
    Paint,
    ReplaceSmall,
    Retry,
    Threshold,
    Write,
)
from segcube.transforms import label_map
from segcube.transforms.label_rules import (
    decide_regions,
    keep_components,
    keep_largest,
    nest,
    replace_small,
    retry,
)


@pytest.fixture
def array():
    """numpy alone: rules work on masks in host memory, whatever library the probabilities are of."""
    return np.array


@pytest.fixture
def brats():
    return load_challenge("brats2024-ssa")


@pytest.fixture
def mbas():
    return load_challenge("mbas2024")


@pytest.fixture
def spell():
    """Write a map of one row as the names of its labels."""

    def spelled(labels_xyz, challenge):
        names = {value: name for name, value in challenge.labels.items()}
        return [names[int(value)] for value in labels_xyz.ravel()]

    return spelled


def test_regions_are_painted_in_the_challenges_order(regions, brats, spell):
    probabilities = regions(ET=[0.9, 0, 0, 0], TC=[0.9, 0.9, 0, 0], WT=[0.9, 0.9, 0.9, 0])

    labels_xyz = label_map(probabilities, [], brats)

    assert spell(labels_xyz, brats) == ["ET", "NETC", "SNFH", "background"]
    assert labels_xyz.dtype == np.uint8
    assert labels_xyz.shape == (4, 1, 1)


def test_a_stage_may_lack_regions_of_the_challenge(regions, brats, spell):
    assert spell(label_map(regions(WT=[0.9, 0.1]), [], brats), brats) == ["SNFH", "background"]


def test_a_written_order_replaces_the_challenges(regions, brats, spell):
    order = (Paint(region="ET", label="ET"), Paint(region="WT", label="NETC"))

    labels_xyz = label_map(regions(ET=[0.9, 0.9], WT=[0, 0.9]), [Write(rule="write", order=order)], brats)

    assert spell(labels_xyz, brats) == ["ET", "NETC"]


def test_rules_on_regions_come_before_paint_and_rules_on_labels_after(regions, brats, spell):
    probabilities = regions(ET=[0.9, 0, 0, 0, 0.6], TC=[0, 0, 0, 0, 0], WT=[0, 0.9, 0.9, 0, 0])
    rules = [
        Threshold(rule="threshold", at={"ET": 0.8}),
        Nest(rule="nest", order=("ET", "TC", "WT")),
        ReplaceSmall(rule="replace_small", label="ET", below=2, with_="NETC"),
    ]

    found = spell(label_map(probabilities, rules, brats), brats)

    assert found == ["NETC", "SNFH", "SNFH", "background", "background"]


def test_the_most_probable_label_gets_its_value(labels, mbas, spell):
    probabilities = labels(background=[0.7, 0.1, 0.2], LA=[0.2, 0.6, 0.3], wall=[0.1, 0.3, 0.5])

    assert spell(label_map(probabilities, [], mbas), mbas) == ["background", "LA", "wall"]


def test_the_largest_component_of_each_label_is_kept(labels, mbas, spell):
    wall = np.array([1, 1, 0, 0, 1, 0, 0])
    cavity = np.array([0, 0, 0, 1, 0, 1, 1])
    probabilities = labels(background=np.full(7, 0.5), wall=wall, RA=cavity)
    rules = [LargestComponent(rule="largest_component", labels=("wall", "RA", "LA"))]

    found = spell(label_map(probabilities, rules, mbas), mbas)

    assert found == ["wall", "wall", "background", "background", "background", "RA", "RA"]


def test_labels_taken_together_keep_their_largest_object(labels, mbas, spell):
    wall = np.array([1, 0, 0, 1, 0, 0])
    cavity = np.array([0, 0, 0, 0, 1, 1])
    probabilities = labels(background=np.full(6, 0.5), wall=wall, RA=cavity)
    rules = [LargestComponent(rule="largest_component", labels=("wall", "RA"), together=True)]

    found = spell(label_map(probabilities, rules, mbas), mbas)

    assert found == ["background", "background", "background", "wall", "RA", "RA"]


def test_the_same_numbers_give_the_same_bytes(regions, brats):
    values = np.random.default_rng(0).random((3, 200), dtype=np.float32)
    probabilities = regions(ET=values[0], TC=values[1], WT=values[2])
    rules = [Nest(rule="nest", order=("ET", "TC", "WT"))]

    assert (
        label_map(probabilities, rules, brats).tobytes() == label_map(probabilities, rules, brats).tobytes()
    )


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


@pytest.fixture
def keep(regions, mask, digits):
    """Apply a rule to a row, perhaps beside objects and with probabilities."""

    def apply(row, objects=None, probabilities=None, **settings):
        rule = KeepComponents(rule="keep_components", region="TC", **settings)
        objects_xyz = None if objects is None else mask(objects)
        source = regions(ET=[0] * len(row), TC=probabilities or [0] * len(row))
        return digits(keep_components(rule, mask(row), objects_xyz, source))

    return apply


def test_small_components_go(keep):
    assert keep("0101101110", min_voxels=2) == "0001101110"


def test_the_largest_few_stay_and_the_first_of_equals(keep):
    assert keep("0101101110110", max_count=2) == "0001101110000"


def test_unsure_components_go(keep):
    assert keep("110110", probabilities=[0.7, 0.9, 0, 0.6, 0.9, 0], min_mean_probability=0.775) == "110000"


def test_unworthy_components_do_not_use_up_the_count(keep):
    sure = [0.6, 0.6, 0.6, 0, 0.9, 0.9, 0, 0.9]

    assert keep("11101101", probabilities=sure, min_mean_probability=0.8, max_count=1) == "00001100"


def test_a_holder_of_half_an_object_stays_whatever_its_size(keep):
    settings = {"min_voxels": 3, "unless_holds": {"region": "ET", "share": 0.5}}

    assert keep("0110010111", objects="0011000000", **settings) == "0110000111"
    assert keep("0100010111", objects="0111000000", **settings) == "0000000111"


def test_a_holder_stays_beside_the_largest_few(keep):
    kept = keep("1001101110", objects="1000000000", max_count=1, unless_holds={"region": "ET"})

    assert kept == "1000001110"


def test_objects_outside_of_all_components_save_none(keep):
    kept = keep("0100000", objects="0000011", min_voxels=2, unless_holds={"region": "ET", "share": 0.0})

    assert kept == "0000000"


def test_each_object_counts_by_itself(keep):
    kept = keep("0100000", objects="0101111", min_voxels=2, unless_holds={"region": "ET", "share": 1.0})

    assert kept == "0100000"


@pytest.mark.parametrize("objects", [None, "000", "010"])
def test_an_empty_region_stays_empty(keep, objects):
    settings = {"unless_holds": {"region": "ET"}} if objects else {}

    assert keep("000", objects=objects, min_mean_probability=0.5, **settings) == "000"


def test_lesser_components_become_background(row, digits):
    assert digits(keep_largest(row("1101220222"), [2], 0, 26)) == "1101000222"


def test_labels_taken_together_are_one_object(row, digits):
    assert digits(keep_largest(row("1120110333"), [1, 2], 0, 26)) == "1120000333"


def test_an_absent_label_stays_absent(row, digits):
    assert digits(keep_largest(row("110"), [2], 0, 26)) == "110"
    assert digits(replace_small(row("110"), 2, 1, 9)) == "110"


def test_a_label_of_few_voxels_becomes_another(row, digits):
    assert digits(replace_small(row("3302"), 3, 1, 3)) == "1102"
    assert digits(replace_small(row("3302"), 3, 1, 2)) == "3302"


def test_types_stay(row):
    assert keep_largest(row("110"), [1], 0, 26).dtype == np.uint8
    assert replace_small(row("110"), 1, 2, 9).dtype == np.uint8
