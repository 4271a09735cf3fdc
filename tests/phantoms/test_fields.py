import numpy as np
import pytest

from segcube.phantoms.fields import Space, ellipsoid, inside, paint, random_rotation, rotation, tube, union


@pytest.fixture
def space():
    return Space(np.arange(-10.0, 11.0), np.arange(10.0, -11.0, -1.0), np.arange(-10.0, 11.0, 2.5))


def test_a_ball_has_its_radius(space):
    distance = ellipsoid(space, (0, 0, 0), (5, 5, 5))
    x, y, z = np.meshgrid(*space.axes, indexing="ij")
    np.testing.assert_allclose(distance, np.sqrt(x**2 + y**2 + z**2) - 5, atol=1e-4)


def test_a_rotated_ellipsoid_points_along_its_row(space):
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    distance = ellipsoid(space, (0, 0, 0), (8, 2, 2), swap)
    middle = len(space.z) // 2
    assert distance[10, 4, middle] < 0 < distance[4, 10, middle]


def test_a_tube_is_round_with_spherical_ends(space):
    distance = tube(space, ((0, 0, -5), (0, 0, 5)), 3.0)
    assert distance[10, 10, 4] == pytest.approx(-3)
    assert distance[15, 10, 4] == pytest.approx(2)
    assert distance[10, 10, 8] == pytest.approx(2)


def test_noise_has_unit_variance_and_is_smooth():
    space = Space(*(np.arange(0.0, 60.0),) * 3)
    noise = space.noise(np.random.default_rng(0), 3.0)
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noise.std() == pytest.approx(1, abs=0.1)
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.5


def test_interpolating_a_linear_field_is_exact(space):
    coarse = space.coarse(4.0)
    field = coarse.along((0, 0, 0), (1, -2, 0.5))
    np.testing.assert_allclose(
        space.interpolate(field, coarse), space.along((0, 0, 0), (1, -2, 0.5)), atol=1e-4
    )


def test_a_box_holds_the_voxels_near_its_centre(space):
    box = space.box((0, 2, 0), (3, 3, 100))
    near = space[box]
    assert (near.x.min(), near.x.max()) == (-2, 2)
    assert (near.y.min(), near.y.max()) == (0, 4)
    assert near.shape[2] == space.shape[2]


def test_union_takes_the_nearest_and_borders_are_soft():
    np.testing.assert_array_equal(union(np.array([1.0, -2.0]), np.array([0.5, 3.0])), [0.5, -2.0])
    np.testing.assert_array_equal(inside(np.array([-2.0, 0.0, 0.5, 9.0]), 2.0), [1, 0.5, 0.25, 0])


def test_paint_blends_by_occupancy():
    signal = np.array([1.0, 1.0, 1.0], np.float32)
    paint(signal, np.array([0.0, 0.5, 1.0]), 3.0)
    np.testing.assert_array_equal(signal, [1, 2, 3])


def test_rotations_keep_lengths():
    rotation = random_rotation(np.random.default_rng(1), 30)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)


def test_rotations_are_about_x_then_y_then_z():
    np.testing.assert_allclose(rotation((90, 0, 90)) @ (0, 1, 0), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(rotation((90, 0, 90)) @ (1, 0, 0), (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(rotation((0, 90, 0)) @ (0, 0, 1), (-1, 0, 0), atol=1e-12)
