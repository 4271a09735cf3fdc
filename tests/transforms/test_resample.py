import itertools

import numpy as np
import pytest
from scipy import ndimage
from skimage.transform import resize

from segcube.core import CaseError, Code
from segcube.spec.submission import Spline
from segcube.transforms import Resampler
from segcube.transforms.resample import Lattice, axis_matrix, plan_resampling

SHAPES = [
    ((9, 14, 11), (13, 9, 11)),
    ((16, 5, 8), (7, 12, 9)),
    ((1, 6, 7), (4, 1, 20)),
    ((40, 3, 3), (41, 6, 2)),
]


def reference(volume_xyz, shape, order):
    return resize(volume_xyz, shape, order=order, mode="edge", anti_aliasing=False, preserve_range=True)


@pytest.fixture
def noise_kxyz():
    return lambda shape: np.random.default_rng(5).standard_normal((2, *shape)).astype(np.float32)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_equals_scikit_image(noise_kxyz, array, order):
    for shape_in, shape_out in SHAPES:
        volume = noise_kxyz(shape_in)

        resampled = np.asarray(Resampler(shape_in, shape_out, order).apply(array(volume)))

        expected = np.stack([reference(channel, shape_out, order) for channel in volume])
        assert np.abs(resampled - expected).max() <= 1e-5 * np.ptp(volume), shape_in


def test_cubic_overshoot_is_clipped():
    edge_xyz = np.zeros((8, 8, 8), dtype=np.float32)
    edge_xyz[4:] = 1

    resampled = Resampler((8, 8, 8), (21, 8, 8), 3).apply(edge_xyz[None])

    assert float(resampled.min()) == 0
    assert float(resampled.max()) == 1


@pytest.mark.parametrize(("coarse_axis", "coarse_order"), [(0, 0), (1, 1), (2, 3)])
def test_a_coarse_axis_is_resampled_by_itself(noise_kxyz, array, coarse_axis, coarse_order):
    shape_in, shape_out = (7, 8, 9), (10, 6, 11)
    volume_xyz = noise_kxyz(shape_in)[0]
    fine_shape = tuple(size for axis, size in enumerate(shape_out) if axis != coarse_axis)
    slices = [reference(part, fine_shape, 3) for part in np.moveaxis(volume_xyz, coarse_axis, 0)]
    stack = np.stack(slices, axis=coarse_axis)
    scale = shape_in[coarse_axis] / shape_out[coarse_axis]
    places = np.indices(shape_out, dtype=float)
    places[coarse_axis] = scale * (places[coarse_axis] + 0.5) - 0.5
    expected = ndimage.map_coordinates(stack, places, order=coarse_order, mode="nearest")

    resampler = Resampler(shape_in, shape_out, 3, coarse_axis, coarse_order)
    resampled = resampler.apply(array(volume_xyz[None]))[0]

    assert np.abs(np.asarray(resampled) - expected).max() <= 1e-5 * np.ptp(volume_xyz)


@pytest.mark.parametrize(("order", "coarse_axis", "axis"), [(0, None, 0), (1, 2, 1), (3, 2, 2)])
def test_slabs_make_up_the_whole(noise_kxyz, order, coarse_axis, axis):
    shape_in, shape_out = (9, 8, 7), (13, 12, 16)
    resampler = Resampler(shape_in, shape_out, order, coarse_axis)
    volume = noise_kxyz(shape_in)
    cuts = [0, 1, 5, 5, shape_out[axis]]

    slabs = [resampler.slab(volume, axis, *cut) for cut in itertools.pairwise(cuts)]

    whole = np.asarray(resampler.apply(volume))
    np.testing.assert_allclose(np.concatenate(slabs, axis=1 + axis), whole, atol=2e-6)


def test_equal_shapes_pass_through(noise_kxyz):
    volume = noise_kxyz((3, 4, 5))
    resampler = Resampler((3, 4, 5), (3, 4, 5), 3)

    assert (resampler.apply(volume) == volume).all()
    assert (resampler.slab(volume, 2, 1, 3) == volume[..., 1:3]).all()


def test_halves_and_integers_come_out_as_float32(noise_kxyz):
    volume = noise_kxyz((4, 4, 4))
    resampler = Resampler((4, 4, 4), (6, 6, 6), 1)

    assert resampler.apply(volume.astype(np.float16)).dtype == np.float32
    assert resampler.apply(volume.astype(np.int16)).dtype == np.float32
    assert resampler.apply(volume.astype(np.float64)).dtype == np.float64


def test_nearest_keeps_the_type(array):
    labels = array(np.arange(8, dtype=np.uint8).reshape(1, 2, 2, 2))

    resampled = Resampler((2, 2, 2), (4, 2, 2), 0).apply(labels)

    assert resampled.dtype == labels.dtype
    assert resampled[0, :, 0, 0].tolist() == [0, 0, 4, 4]


def test_linear_weights_by_hand():
    assert axis_matrix(2, 4, 1).tolist() == [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]


def test_matrices_are_made_once_and_cannot_be_changed():
    assert axis_matrix(5, 7, 3) is axis_matrix(5, 7, 3)
    with pytest.raises(ValueError, match="read-only"):
        axis_matrix(5, 7, 3)[0, 0] = 1


@pytest.mark.parametrize(("order", "shape_out"), [(0, (11, 5, 9)), (1, (6, 3, 5))])
def test_dependency_is_where_a_change_would_be_seen(array, order, shape_out):
    shape_in = (6, 7, 5)
    resampler = Resampler(shape_in, shape_out, order)
    mask_xyz = np.random.default_rng(2).random(shape_out) > 0.95
    expected = np.zeros(shape_in, dtype=bool)
    for place in np.ndindex(shape_in):
        impulse = np.zeros((1, *shape_in), dtype=np.float32)
        impulse[(0, *place)] = 1
        expected[place] = (resampler.apply(impulse)[0][mask_xyz] != 0).any()

    assert np.array_equal(np.asarray(resampler.dependency(array(mask_xyz))), expected)


def test_sizes_round_halves_to_even():
    assert Lattice((240, 5, 3), (1.0, 1.0, 1.0)).at((0.97, 2.0, 2.0)) == Lattice(
        (247, 2, 2), (0.97, 2.0, 2.0)
    )


def test_no_axis_vanishes():
    assert Lattice((4, 4, 1), (1.0, 1.0, 1.0)).at((1.0, 1.0, 9.0)).shape == (4, 4, 1)


@pytest.mark.parametrize(
    ("source", "target", "separate", "coarse_axis"),
    [
        ((0.6, 0.6, 2.5), (1.0, 1.0, 1.0), "auto", 2),
        ((1.0, 1.0, 1.0), (2.5, 0.6, 0.6), "auto", 0),
        ((0.6, 0.6, 2.5), (5.0, 1.0, 1.0), "auto", 2),
        ((1.0, 1.0, 3.0), (1.0, 1.0, 1.0), "auto", None),
        ((0.2, 1.2, 1.2), (1.0, 1.0, 1.0), "auto", None),
        ((1.0, 1.0, 1.5), (1.0, 1.0, 1.0), "always", 2),
        ((1.0, 1.0, 1.0), (1.0, 1.0, 9.0), "always", None),
        ((0.6, 0.6, 2.5), (1.0, 1.0, 1.0), "never", None),
    ],
)
def test_the_coarse_axis_is_found_as_nnunet_finds_it(source, target, separate, coarse_axis):
    spline = Spline(order=3, order_z=1, separate_z=separate)
    plan = plan_resampling(Lattice((8, 8, 8), source), Lattice((9, 9, 9), target), spline)

    assert plan == Resampler((8, 8, 8), (9, 9, 9), 3, coarse_axis, 1)


def test_a_lattice_past_what_a_file_may_have_is_refused():
    with pytest.raises(CaseError) as caught:
        Lattice((240, 240, 155), (10, 10, 10)).at((1, 1, 1))
    assert caught.value.code == Code.TOO_LARGE
