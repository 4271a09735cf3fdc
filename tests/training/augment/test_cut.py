"""Patches are what an index-by-index reference cuts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from segcube.training.augment.affine import rotate_and_scale
from segcube.training.augment.cut import Patch, cut_patch
from segcube.training.augment.grid import PatchGrid
from segcube.training.augment.interpolate import interpolate_by_grid, interpolate_image
from segcube.training.augment.labels import TIE, LabelSampler
from segcube.training.augment.spatial import ElasticDraw, SpatialDraw
from segcube.training.patches import OUTSIDE
from segcube.training.recipes import Spatial

from .conftest import plain_label, plain_linear, random_case

SHAPE = (5, 6, 4)
TURN = rotate_and_scale((0.3, -0.2, 0.5), (1.3, 0.8, 1.1))
IN_PLANE = rotate_and_scale((0.4, 0, 0), (1.3, 0.8, 1.1))
ELASTIC = ElasticDraw(np.ones(3), np.full(3, 0.8))


def cut(case, draw, centre, spatial=None, field=None, shape=SHAPE):
    patch = Patch(torch.empty((2, *shape)), torch.empty(shape, dtype=torch.uint8))
    cut_patch(case, PatchGrid(shape, centre, draw), spatial or Spatial(), field, patch)
    return patch


@pytest.mark.parametrize("mirrored", [(), (0,), (1, 2)])
@pytest.mark.parametrize("centre", [(4.0, 5.0, 5.0), (0.5, 8.5, 10.0)])
def test_an_identity_copies_voxels(case, mirrored, centre):
    patch = cut(case, SpatialDraw(mirrored=mirrored), centre)
    starts = [int(np.floor(at + 0.5)) - size // 2 for at, size in zip(centre, SHAPE, strict=True)]
    for index in np.ndindex(*SHAPE):
        turned = [SHAPE[k] - 1 - at if k in mirrored else at for k, at in enumerate(index)]
        at = tuple(start + place for start, place in zip(starts, turned, strict=True))
        inside = all(0 <= place < size for place, size in zip(at, case.shape, strict=True))
        expected = case.image_cxyz[(slice(None), *at)].float() if inside else torch.zeros(2)
        assert torch.equal(patch.image_cxyz[(slice(None), *index)], expected)
        assert patch.labels_xyz[index] == (case.labels_xyz[at] if inside else OUTSIDE)


def test_a_copy_repeats_the_border():
    case = random_case((3, 4, 5))
    spatial = Spatial(border="nearest")
    patch = cut(case, SpatialDraw(mirrored=(0,)), (1.0, 2.0, 2.0), spatial, shape=(7, 8, 9))
    for index in np.ndindex(7, 8, 9):
        x, y, z = (
            min(max(at, 0), size - 1)
            for at, size in zip((4 - index[0], index[1] - 2, index[2] - 2), case.shape, strict=True)
        )
        assert torch.equal(patch.image_cxyz[(slice(None), *index)], case.image_cxyz[:, x, y, z].float())
        assert patch.labels_xyz[index] == case.labels_xyz[x, y, z]


@pytest.mark.parametrize("border", ["zero", "nearest"])
@pytest.mark.parametrize("mirrored", [(), (1,)])
@pytest.mark.parametrize("centre", [(4.2, 4.6, 5.1), (0.3, 9.0, 2.0)])
@pytest.mark.parametrize(("matrix", "elastic"), [(TURN, None), (IN_PLANE, None), (TURN, ELASTIC)])
def test_a_transform_interpolates_at_its_positions(case, border, mirrored, centre, matrix, elastic):
    draw = SpatialDraw(matrix, mirrored, elastic)
    assert draw.keeps_planes == (matrix is IN_PLANE)
    field = np.random.default_rng(1).uniform(-0.8, 0.8, (3, *SHAPE)) * (elastic is not None)
    displaced = torch.from_numpy(field).float() if elastic else None
    patch = cut(case, draw, centre, Spatial(border=border), displaced)

    image, labels = case.image_cxyz.double().numpy(), case.labels_xyz.numpy()
    decided = 0
    for index in np.ndindex(*SHAPE):
        offset = np.array(index) - (np.array(SHAPE) - 1) / 2
        offset = np.where([k in mirrored for k in range(3)], -offset, offset) + field[(slice(None), *index)]
        point = np.array(centre) + matrix @ offset
        for channel in range(2):
            expected = plain_linear(image[channel], point, border)
            assert float(patch.image_cxyz[(channel, *index)]) == pytest.approx(expected, abs=2e-5)
        expected, lead = plain_label(labels, point, border)
        if lead > TIE:
            decided += 1
            assert patch.labels_xyz[index] == expected
    assert decided > 0.9 * np.prod(SHAPE)


def test_nearest_labels(case):
    patch = cut(case, SpatialDraw(TURN), (4.2, 4.6, 5.1), Spatial(labels="nearest"))
    for index in np.ndindex(*SHAPE):
        offset = np.array(index) - (np.array(SHAPE) - 1) / 2
        at = np.rint(np.array((4.2, 4.6, 5.1)) + TURN @ offset).astype(int)
        inside = np.all((at >= 0) & (at < case.shape))
        assert patch.labels_xyz[index] == (case.labels_xyz[tuple(at)] if inside else OUTSIDE)


def test_only_the_needed_voxels_are_read(case):
    """A patch stays the same where all voxels outside of its box change."""
    grid = PatchGrid((3, 3, 3), (4.0, 4.0, 4.0), SpatialDraw(TURN))
    box = grid.needed_box(case.shape)
    assert np.prod(box.shape) < np.prod(case.shape)
    image, labels = torch.full_like(case.image_cxyz, torch.nan), torch.full_like(case.labels_xyz, 2)
    box.apply(image)[...], box.apply(labels)[...] = box.apply(case.image_cxyz), box.apply(case.labels_xyz)
    changed = type(case)(image, labels, case.present)
    patches = [cut(one, grid.draw, grid.centre, shape=(3, 3, 3)) for one in (case, changed)]
    assert torch.equal(patches[0].image_cxyz, patches[1].image_cxyz)
    assert torch.equal(patches[0].labels_xyz, patches[1].labels_xyz)


@pytest.mark.parametrize("border", ["zero", "nearest"])
@pytest.mark.parametrize("channels", [3, 4, 6])
def test_packed_channels_are_interpolated_as_by_torch(channels, border):
    image = random_case((9, 10, 11), channels).image_cxyz
    rng = np.random.default_rng(3)
    positions = [torch.from_numpy(rng.uniform(-3, size + 2, (20, 5, 6))).float() for size in (9, 10, 11)]
    found, expected = torch.full((channels, 20, 5, 6), torch.nan), torch.empty(channels, 20, 5, 6)
    interpolate_image(image, positions, border, found)
    interpolate_by_grid(image, positions, border, expected)
    assert (found - expected).abs().max() < 2e-5


@pytest.mark.parametrize("outside", [OUTSIDE, None])
def test_the_vote_where_neighbours_differ_equals_that_everywhere(case, outside):
    rng = np.random.default_rng(2)
    sampler = LabelSampler(case.labels_xyz, case.present, outside)
    positions = [torch.from_numpy(rng.uniform(-3, size + 2, (4, 5, 60))).float() for size in case.shape]
    everywhere = sampler._vote(sampler._inside(positions))
    assert torch.equal(sampler.largest_share(positions), everywhere)
    assert len(everywhere.unique()) == len(case.present) + (outside is not None)


def test_equal_shares_take_the_nearest_voxels_label():
    labels = torch.tensor([[[2, 1]]], dtype=torch.uint8)
    sampler = LabelSampler(labels, (1, 2), None)
    positions = [torch.zeros(1, 1, 2), torch.zeros(1, 1, 2), torch.tensor([[[0.4998, 0.5002]]])]
    assert sampler.largest_share(positions).flatten().tolist() == [2, 1]


def test_no_label_is_lost_where_eight_meet():
    labels = torch.arange(8, dtype=torch.uint8).reshape(2, 2, 2)
    sampler = LabelSampler(labels, tuple(range(8)), OUTSIDE)
    for corner in itertools.product((0.45, 0.55), repeat=3):
        positions = [torch.full((1, 1, 1), at) for at in corner]
        expected = labels[tuple(int(at > 0.5) for at in corner)]
        assert sampler.largest_share(positions).item() == expected
