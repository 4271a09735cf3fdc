import numpy as np
import pytest

from segcube.spec.challenges import load_challenge
from segcube.spec.submission import LargestComponent, Nest, Paint, ReplaceSmall, Threshold, Write
from segcube.transforms import label_map


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
