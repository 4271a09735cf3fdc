import numpy as np
import pytest

from segcube.transforms import component_means, find_components, label_indices, region_masks
from segcube.transforms.probabilities import highest


def test_a_region_is_above_its_bound_not_on_it(regions, digits):
    probabilities = regions(WT=[0.5, 0.51, 0.9, 0.2, 0.7], ET=[0.5, 0.51, 0.9, 0.2, 0.7])

    masks_kxyz = region_masks(probabilities, {"ET": 0.75})

    assert masks_kxyz.shape == (2, 5, 1, 1)
    assert masks_kxyz.dtype == bool
    assert [digits(mask_xyz) for mask_xyz in masks_kxyz] == ["01101", "00100"]


def test_one_region_alone(regions, digits):
    probabilities = regions(WT=[0.9, 0.9, 0.9], ET=[0.1, 0.3, 0.2])

    assert digits(region_masks(probabilities, {"ET": 0.15}, ["ET"])[0]) == "011"


def test_the_most_probable_label_wins_and_the_first_of_equals(labels, digits):
    probabilities = labels(background=[0.6, 0.3, 0.4], wall=[0.3, 0.6, 0.4], RA=[0.1, 0.1, 0.2])

    indices_xyz = label_indices(probabilities)

    assert digits(indices_xyz) == "010"
    assert indices_xyz.dtype == np.uint8


def test_the_highest_probability_is_over_all_slabs(regions):
    assert highest(regions(WT=[0, 0, 0.2, 0.4, 0.1], ET=[1, 1, 1, 1, 1]), "WT") == pytest.approx(0.4)


def test_means_are_of_each_component_across_slabs(regions, mask):
    probabilities = regions(WT=[0] * 6, ET=[0, 0.6, 0.8, 1.0, 0.1, 0.7])

    means = component_means(probabilities, "ET", find_components(mask("011101"), 26))

    assert means.tolist() == pytest.approx([0, 0.8, 0.7])


def test_no_components_have_no_means(regions, mask):
    assert component_means(regions(ET=[0.2, 0.3]), "ET", find_components(mask("00"), 26)).tolist() == [0]
