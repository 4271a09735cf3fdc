import pytest

from segcube.spec.submission import KeepComponents
from segcube.transforms.region_rules import keep_components


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
