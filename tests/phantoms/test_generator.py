"""Steps of the generator that can be changed or left out."""

import numpy as np
import pytest

from segcube.phantoms import Generator, make_phantom
from segcube.phantoms.brain.contrast import CHANNELS, draw_contrast
from segcube.phantoms.brain.tissues import Tissue
from segcube.spec.challenges import load_challenge

GLIOMA = load_challenge("brats2023-gli")


def phantom(**changes):
    return make_phantom(GLIOMA, 4, 1, 3.0, Generator(**changes))


@pytest.fixture(scope="module")
def usual():
    return phantom()


@pytest.mark.parametrize(
    "changes",
    [
        {"anatomy": "other"},
        {"contrast": "fixed"},
        {"contrast": "free"},
        {"distractors": False},
        {"thick_slices": False},
    ],
    ids=str,
)
def test_a_step_changes_images_and_leaves_the_grid(usual, changes):
    other = phantom(**changes)
    assert other.image_cxyz.shape == usual.image_cxyz.shape
    assert not np.array_equal(other.image_cxyz, usual.image_cxyz)
    same_labels = changes.get("anatomy") is None
    assert np.array_equal(other.labels_xyz, usual.labels_xyz) == same_labels


@pytest.mark.parametrize("changes", [{"composition": False}, {"mass_effect": False}], ids=str)
def test_the_tumour_changes(usual, changes):
    assert not np.array_equal(phantom(**changes).labels_xyz, usual.labels_xyz)


def test_fixed_contrasts_are_those_of_every_case():
    one, other = (draw_contrast(np.random.default_rng(seed), CHANNELS, "fixed") for seed in (1, 2))
    np.testing.assert_array_equal(one, other)


def test_free_contrasts_leave_the_tumour_visible():
    levels = [draw_contrast(np.random.default_rng(seed), CHANNELS, "free") for seed in range(40)]
    flair, native, enhanced = (CHANNELS.index(name) for name in ("t2f", "t1n", "t1c"))
    for case_ck in levels:
        assert case_ck[flair, Tissue.EDEMA] >= 1.12
        assert case_ck[enhanced, Tissue.ENHANCING] >= 1.12 * case_ck[native, Tissue.ENHANCING]
    spread = np.std(np.log(levels), axis=0)
    usual = [draw_contrast(np.random.default_rng(seed), CHANNELS) for seed in range(40)]
    assert spread[native, Tissue.GREY] > 1.5 * np.std(np.log(usual), axis=0)[native, Tissue.GREY]
