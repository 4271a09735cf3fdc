import numpy as np
import pytest

from segcube.preprocess import Box, Orientation, Placement, Resampler, mask_box

ORIENTATIONS = [
    Orientation(),
    Orientation((2, 1, 0), (False, False, True)),
    Orientation((1, 0, 2), (True, True, False)),
]


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_slabs_undo_turn_crop_and_resampling(orientation, array):
    shape = (7, 6, 5)
    start, stop = orientation.reorder((2, 1, 0)), orientation.reorder((6, 5, 4))
    box = Box(start, stop)
    output = Resampler((3, 3, 3), box.shape, 1)
    result_kxyz = array(np.random.default_rng(1).random((2, 3, 3, 3), dtype=np.float32))
    placement = Placement(shape, orientation, box, output)

    slabs = [placement.restore(result_kxyz, x, min(x + 2, 7), (1.0, 0.0)) for x in range(0, 7, 2)]

    whole = box.undo(output.apply(result_kxyz), orientation.reorder(shape), (1.0, 0.0))
    expected = np.asarray(orientation.undo(whole))
    np.testing.assert_allclose(np.concatenate(slabs, axis=1), expected, atol=1e-6)


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_without_resampling_every_voxel_comes_back(orientation, array):
    image_cxyz = np.arange(2 * 6 * 5 * 4).reshape(2, 6, 5, 4)
    inside_xyz = np.zeros((6, 5, 4), dtype=bool)
    inside_xyz[1:6, 1:4, 1:3] = True
    box = mask_box(orientation.apply(inside_xyz))
    placement = Placement((6, 5, 4), orientation, box, Resampler(box.shape, box.shape, 1))

    restored = placement.restore(box.apply(orientation.apply(array(image_cxyz))), 0, 6)

    assert np.array_equal(np.asarray(restored), image_cxyz * inside_xyz)
