from __future__ import annotations

import numpy as np
import pytest

from segcube.core import Box, bounding_box


@pytest.fixture(params=["numpy", "torch"])
def array(request):
    """Convert numpy arrays to each of the libraries."""
    return np.array if request.param == "numpy" else pytest.importorskip("torch").tensor


def test_undo_pastes_the_cut_out_voxels_back(array):
    image_cxyz = array(np.arange(2 * 4 * 5 * 6).reshape(2, 4, 5, 6))
    box = Box((1, 0, 2), (3, 5, 6))

    restored = box.undo(box.apply(image_cxyz), (4, 5, 6), -1)

    inside = np.zeros((4, 5, 6), dtype=bool)
    inside[1:3, :, 2:] = True
    assert (restored[:, inside] == image_cxyz[:, inside]).all()
    assert (restored[:, ~inside] == -1).all()
    assert restored.dtype == image_cxyz.dtype


def test_each_channel_can_have_its_own_fill(array):
    cut_kxyz = array(np.full((2, 1, 1, 1), 9.0))

    restored = Box((1, 0, 0), (2, 1, 1)).undo(cut_kxyz, (2, 1, 1), (1.0, 0.0))

    assert restored.tolist() == [[[[1.0]], [[9.0]]], [[[0.0]], [[9.0]]]]


def test_an_empty_box_is_pasted_as_fill(array):
    nothing = array(np.zeros((1, 0, 2, 2)))

    assert (Box((1, 0, 0), (1, 2, 2)).undo(nothing, (3, 2, 2), 1.0) == 1.0).all()


def test_a_margin_is_clipped_to_the_volume(array):
    mask_xyz = np.zeros((9, 9, 9), dtype=bool)
    mask_xyz[1, 4, 8] = True

    assert bounding_box(array(mask_xyz), (2, 1.2, 0)) == Box((0, 2, 8), (4, 7, 9))


def test_an_empty_mask_has_no_bounding_box(array):
    assert bounding_box(array(np.zeros((2, 2, 2), dtype=bool))) is None


def test_shape_counts_voxels():
    assert Box((1, 0, 2), (3, 5, 6)).shape == (2, 5, 4)


def test_the_intersection_is_what_both_boxes_contain():
    assert Box((0, 0, 0), (4, 4, 4)).intersection(Box((1, 2, 3), (9, 3, 9))) == Box((1, 2, 3), (4, 3, 4))


def test_the_intersection_of_disjoint_boxes_is_empty():
    assert 0 in Box((0, 0, 0), (2, 4, 4)).intersection(Box((3, 0, 0), (4, 4, 4))).shape


def test_the_union_is_the_smallest_box_around_both():
    assert Box((0, 3, 0), (2, 4, 4)).union(Box((1, 0, 0), (4, 2, 2))) == Box((0, 0, 0), (4, 4, 4))


def test_a_box_relative_to_another_counts_from_its_corner():
    inner, outer = Box((3, 4, 5), (6, 6, 6)), Box((1, 1, 1), (9, 9, 9))
    assert inner.relative_to(outer) == Box((2, 3, 4), (5, 5, 5))
    assert inner.relative_to(outer).shifted(outer.start) == inner
