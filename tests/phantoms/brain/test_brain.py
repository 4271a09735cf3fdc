import numpy as np
import pytest

from segcube.core import Grid
from segcube.phantoms.brain import BrainRequest, Tissue, make_brain
from segcube.phantoms.streams import Streams

CHANNELS = ("t2f", "t1n", "t1c", "t2w")


def brain_of(grid, index=0, channels=CHANNELS, kind="glioma"):
    return make_brain(Streams(1, index), grid, BrainRequest(kind, channels, "t1c"))


@pytest.fixture(scope="module")
def brain():
    return brain_of(Grid((60, 60, 39), np.diag([-4.0, -4.0, 4.0, 1.0])))


def test_the_background_alone_is_0_in_every_channel(brain):
    assert brain.image_cxyz.dtype == np.int16
    inside = brain.image_cxyz > 0
    assert (inside == inside[0]).all()
    assert 0.1 < inside.mean() < 0.25
    assert inside[0][brain.tissue_xyz > 0].all()


def test_the_same_streams_make_the_same_brain(brain, small_grid):
    again = brain_of(small_grid)
    np.testing.assert_array_equal(again.image_cxyz, brain.image_cxyz)
    np.testing.assert_array_equal(again.tissue_xyz, brain.tissue_xyz)
    assert (brain_of(small_grid, index=1).image_cxyz != brain.image_cxyz).any()


def test_a_channel_is_the_same_with_and_without_others(brain, small_grid):
    alone = brain_of(small_grid, channels=("t1c",))
    np.testing.assert_array_equal(alone.image_cxyz[0], brain.image_cxyz[2])


def test_a_fine_grid_shows_the_same_brain(brain):
    fine = brain_of(Grid((120, 120, 78), np.diag([-2.0, -2.0, 2.0, 1.0])))
    coarse_ml, fine_ml = (brain.tissue_xyz > 0).sum() * 0.064, (fine.tissue_xyz > 0).sum() * 0.008
    assert fine_ml == pytest.approx(coarse_ml, rel=0.1)


def test_anatomy_follows_the_affine(small_grid):
    front = Grid(small_grid.shape, np.diag([-4.0, 4.0, 4.0, 1.0]))
    backwards, forwards = (brain_of(grid).image_cxyz[1] > 0 for grid in (small_grid, front))
    # The hind brain is low at the back: the end of the y axis of one image, the start of that of the other
    low = np.arange(39) < 9
    assert backwards[:, 30:, low].sum() > 1.5 * backwards[:, :30, low].sum()
    assert forwards[:, :30, low].sum() > 1.5 * forwards[:, 30:, low].sum()


def test_a_head_for_radiotherapy_has_a_scalp_around_the_brain(small_grid):
    head = brain_of(small_grid, channels=("t1c",), kind="meningioma-radiotherapy")
    assert (head.image_cxyz[0] > 0).mean() > 0.3
    assert (head.tissue_xyz == Tissue.ENHANCING).any()
