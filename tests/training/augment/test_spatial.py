from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.training.augment.affine import rotate_and_scale, scale_shear_and_rotate
from segcube.training.augment.grid import PatchGrid
from segcube.training.augment.spatial import ElasticDraw, SpatialDraw, displacement, draw_spatial
from segcube.training.recipes import Spatial


def draws(content, patch=(8, 8, 8), count=50, axes=()):
    spatial = Spatial.model_validate(content)
    return [draw_spatial(spatial, patch, axes, np.random.default_rng(seed)) for seed in range(count)]


def test_a_quarter_turn_about_the_first_axis():
    matrix = rotate_and_scale((np.pi / 2, 0, 0), (1, 2, 3))
    assert np.allclose(matrix, [[1, 0, 0], [0, 0, -3], [0, 2, 0]], atol=1e-12)


def test_shears_are_composed_in_order():
    # y' = y + x / 2 first, then z' = z + 2 y'
    matrix = scale_shear_and_rotate((0, 0, 0), (1, 1, 1), (0, 0, 0.5, 0, 0, 2))
    assert np.allclose(matrix, [[1, 0, 0], [0.5, 1, 0], [1, 2, 1]])


def test_nothing_is_drawn_without_a_recipe():
    assert all(draw.copies and draw.mirrored == () for draw in draws({}, axes=(0, 1, 2)))


def test_one_factor_scales_all_axes():
    for draw in draws({"scaling": {"p": 1, "factor": [0.7, 1.4]}}):
        assert np.allclose(draw.matrix, draw.matrix[0, 0] * np.eye(3))
        assert 0.7 <= draw.matrix[0, 0] <= 1.4


@pytest.mark.parametrize(
    "content",
    [
        {"rotation": {"p": 1, "degrees_2d": 90}, "scaling": {"p": 1}},
        {"affine": {"p": 1, "degrees": 30, "scaling": 0.2, "shear": 0.2}},
    ],
)
def test_dummy_2d_leaves_the_first_axis(content):
    for draw in draws(content, patch=(4, 20, 20)):
        assert np.allclose(draw.matrix[0], [1, 0, 0])
        assert np.allclose(draw.matrix[:, 0], [1, 0, 0])
        assert not np.allclose(draw.matrix, np.eye(3))


def test_dummy_2d_can_be_left_out():
    content = {"rotation": {"p": 1}, "dummy_2d": "never"}
    assert not any(np.allclose(draw.matrix[0], [1, 0, 0]) for draw in draws(content, patch=(4, 20, 20)))


def test_elastic_magnitudes_are_fractions_of_the_deviation():
    content = {"elastic": {"p": 1, "scale": [0.1, 0.1], "magnitude": [0.5, 0.5]}}
    (draw,) = draws(content, patch=(10, 20, 30), count=1)
    assert draw.elastic.sigmas.tolist() == pytest.approx([1, 2, 3])
    assert draw.elastic.magnitudes.tolist() == pytest.approx([0.5, 1, 1.5])


def test_a_displacement_is_smooth_centred_and_of_its_magnitude():
    normal = torch.randn(3, 12, 10, 8, generator=torch.Generator().manual_seed(0))
    field = displacement(normal, ElasticDraw(np.array([2.0, 2, 2]), np.array([3.0, 1, 0])))
    spans = [float(component.amax() - component.amin()) for component in field]
    assert 3 <= spans[0] <= 6
    assert spans[1] == pytest.approx(spans[1], abs=1)
    assert spans[2] < 1e-6
    assert field.mean(dim=(1, 2, 3)).abs().max() < 1e-6
    # A Gaussian of a periodic volume: neighbours differ by less than the magnitude, also across the border
    assert (field[0] - field[0].roll(1, 0)).abs().max() < 1.6


def test_the_box_holds_all_positions_and_their_neighbours():
    elastic = ElasticDraw(np.ones(3), np.array([1.0, 0.5, 2]))
    draw = SpatialDraw(rotate_and_scale((0.4, 0.5, -0.6), (1.3, 1.3, 1.3)), (0,), elastic)
    grid = PatchGrid((6, 8, 10), (30.3, 31.2, 29.9), draw)
    field = displacement(torch.randn(3, 6, 8, 10), elastic)
    box = grid.needed_box((60, 60, 60))
    for position, size in zip(grid.positions(box.start, torch.device("cpu"), field), box.shape, strict=True):
        assert 0 <= position.min() < position.max() < size - 1
    assert np.prod(box.shape) < 60**3 / 8


def test_a_box_beyond_the_case_keeps_a_voxel():
    grid = PatchGrid((4, 4, 4), (-20.0, 2.0, 30.0), SpatialDraw(np.eye(3)))
    assert grid.needed_box((5, 5, 5)).shape == (1, 5, 1)
