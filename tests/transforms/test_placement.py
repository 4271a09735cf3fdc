import numpy as np
import pytest

from segcube.core import Box, bounding_box
from segcube.transforms import Placement, Resampler
from segcube.transforms.orient import Orientation

ORIENTATIONS = [
    Orientation((2, 1, 0), (False, False, True)),
    Orientation((1, 0, 2), (True, True, False)),
]


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_boxes_undo_turn_crop_and_resampling(orientation, array):
    shape = (7, 6, 5)
    start, stop = orientation.reorder((2, 1, 0)), orientation.reorder((6, 5, 4))
    box = Box(start, stop)
    output = Resampler((3, 3, 3), box.shape, 1)
    result_kxyz = array(np.random.default_rng(1).random((2, 3, 3, 3), dtype=np.float32))
    placement = Placement(shape, orientation, box, output)

    whole = box.undo(output.apply(result_kxyz), orientation.reorder(shape), (1.0, 0.0))
    expected = np.asarray(orientation.undo(whole))
    for wanted in (Box((0, 0, 0), shape), Box((1, 0, 0), (3, 6, 5)), Box((3, 2, 2), (7, 4, 3))):
        restored = placement.restore(result_kxyz, wanted, (1.0, 0.0))
        np.testing.assert_allclose(restored, wanted.apply(expected), atol=1e-6)


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_without_resampling_every_voxel_comes_back(orientation):
    image_cxyz = np.arange(2 * 6 * 5 * 4).reshape(2, 6, 5, 4)
    inside_xyz = np.zeros((6, 5, 4), dtype=bool)
    inside_xyz[1:6, 1:4, 1:3] = True
    box = bounding_box(orientation.apply(inside_xyz))
    placement = Placement((6, 5, 4), orientation, box, Resampler(box.shape, box.shape, 1))

    restored = placement.restore(box.apply(orientation.apply(image_cxyz)), Box((0, 0, 0), (6, 5, 4)))

    assert np.array_equal(np.asarray(restored), image_cxyz * inside_xyz)
    assert placement.native_box == bounding_box(inside_xyz)
