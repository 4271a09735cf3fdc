import numpy as np
import pytest

from segcube.core import Grid, UsageError
from segcube.phantoms.brain import make_brain
from segcube.phantoms.lesions import Tissue

CHANNELS = ("t2f", "t1n", "t1c", "t2w")
GLIOMA = {Tissue.EDEMA, Tissue.CORE, Tissue.ENHANCING}


def test_the_background_alone_is_0_in_every_channel(small_grid):
    image, tissue = make_brain(np.random.default_rng(0), small_grid, CHANNELS, GLIOMA)
    assert image.dtype == np.int16
    assert image.shape == (4, *small_grid.shape)
    assert tissue.shape == small_grid.shape
    brains = image > 0
    assert (brains == brains[0]).all()
    assert 0.1 < brains.mean() < 0.25
    assert brains[0][tissue > 0].all()


def test_fluid_is_bright_in_t2w_and_dark_in_t1n(small_grid):
    image, tissue = make_brain(np.random.default_rng(1), small_grid, ("t1n", "t2w"), {Tissue.CAVITY})
    hollow, brain = tissue == Tissue.CAVITY, image[0] > 0
    assert hollow.any()
    assert image[0][hollow].mean() < 0.8 * image[0][brain].mean()
    assert image[1][hollow].mean() > 1.3 * image[1][brain].mean()


def test_the_rim_enhances_with_contrast(small_grid):
    image, tissue = make_brain(np.random.default_rng(2), small_grid, ("t1n", "t1c"), GLIOMA)
    plain, contrast = (channel / channel[channel > 0].mean() for channel in image)
    rim = tissue == Tissue.ENHANCING
    assert contrast[rim].mean() > 1.2 * plain[rim].mean()


def test_anatomy_follows_the_affine():
    left = Grid((60, 60, 39), np.diag([-4.0, -4.0, 4.0, 1.0]))
    front = Grid((60, 60, 39), np.diag([-4.0, 4.0, 4.0, 1.0]))
    backwards, _ = make_brain(np.random.default_rng(3), left, ("t1n",), GLIOMA)
    forwards, _ = make_brain(np.random.default_rng(3), front, ("t1n",), GLIOMA)
    # The hind brain is low at the back: the end of the y axis of one image, the start of that of the other
    low = np.arange(39) < 11
    assert (backwards[0, :, 30:, low] > 0).sum() > 1.5 * (backwards[0, :, :30, low] > 0).sum()
    assert (forwards[0, :, :30, low] > 0).sum() > 1.5 * (forwards[0, :, 30:, low] > 0).sum()


def test_an_unknown_channel_is_refused_with_the_known_ones(small_grid):
    with pytest.raises(UsageError, match=r"adc.*t2f, t1n, t1c, t2w"):
        make_brain(np.random.default_rng(0), small_grid, ("adc",), GLIOMA)
