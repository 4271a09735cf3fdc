import itertools

import nibabel
import numpy as np
import pytest

from segcube.core import Box, CaseError, Code, bounding_box
from segcube.transforms.orient import Orientation, plan_orientation

ALL = [
    Orientation(permutation, flips)
    for permutation in itertools.permutations(range(3))
    for flips in itertools.product([False, True], repeat=3)
]


def test_undo_gives_back_every_voxel(array):
    image_cxyz = array(np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5))
    for orientation in ALL:
        turned = orientation.apply(image_cxyz)

        assert tuple(turned.shape[1:]) == orientation.reorder((3, 4, 5)), orientation
        assert (orientation.undo(turned) == image_cxyz).all(), orientation


def test_a_box_turns_as_what_lies_in_it():
    box, shape = Box((1, 0, 3), (2, 2, 5)), (4, 3, 5)
    mask_xyz = np.zeros(shape, dtype=bool)
    mask_xyz[box.slices] = True
    for orientation in ALL:
        turned = orientation.apply_box(box, shape)
        assert turned == bounding_box(orientation.apply(mask_xyz)), orientation
        assert orientation.undo_box(turned, shape) == box, orientation


def test_a_mask_without_channels_turns_too():
    mask_xyz = np.arange(6).reshape(1, 2, 3)

    turned = Orientation((2, 0, 1), (True, False, False)).apply(mask_xyz)

    assert turned.tolist() == [[[2, 5]], [[1, 4]], [[0, 3]]]


@pytest.mark.parametrize(("codes", "degrees"), [("LPS", 0), ("RAS", 25), ("ILA", 25)])
def test_letters_turn_as_nibabel_does(codes, degrees):
    affine = np.diag([-1.0, -2.0, 3.0, 1.0])[[2, 0, 1, 3]]
    angle = np.deg2rad(degrees)
    affine[:2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]] @ affine[:2]
    image_xyz = np.arange(24.0).reshape(2, 3, 4)
    native = nibabel.Nifti1Image(image_xyz, affine)
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(affine), nibabel.orientations.axcodes2ornt(codes)
    )
    expected = native.as_reoriented(turn)

    plan = plan_orientation(affine, codes, "xyz")

    assert np.array_equal(plan.apply(image_xyz), expected.get_fdata())
    assert plan.reorder(native.header.get_zooms()) == pytest.approx(expected.header.get_zooms())


def test_native_leaves_the_axes():
    image_cxyz = np.arange(8).reshape(1, 2, 2, 2)

    plan = plan_orientation(np.diag([-1.0, 1, 1, 1]), "native", "xyz")

    assert (plan.apply(image_cxyz) == image_cxyz).all()


def test_axes_come_in_the_order_that_is_asked_for():
    for axes in ("xyz", "yzx", "zyx"):
        plan = plan_orientation(np.diag([-1.0, 1, 1, 1]), "RAS", axes)

        assert plan.reorder("xyz") == tuple(axes)
        assert plan.flips == tuple(axis == "x" for axis in axes)


def test_an_axis_without_length_is_refused():
    with pytest.raises(CaseError) as refused:
        plan_orientation(np.diag([1.0, 0, 1, 1]), "RAS", "xyz")

    assert refused.value.code is Code.BAD_AFFINE
