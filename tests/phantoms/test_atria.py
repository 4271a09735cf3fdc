import numpy as np

from segcube.phantoms.atria import make_atria
from segcube.phantoms.heart import Chamber


def test_image_and_chambers_are_on_the_grid(chest_grid):
    image, chambers = make_atria(np.random.default_rng(0), chest_grid)
    assert image.shape == (1, *chest_grid.shape)
    assert image.dtype == np.int16
    assert image.min() >= 0
    assert set(np.unique(chambers).tolist()) == set(Chamber)


def test_blood_is_brighter_than_lung_and_muscle(chest_grid):
    image, chambers = make_atria(np.random.default_rng(1), chest_grid)
    blood = image[0][(chambers == Chamber.LEFT_CAVITY) | (chambers == Chamber.RIGHT_CAVITY)].mean()
    assert blood > 2 * np.median(image[0])


def test_the_same_seed_makes_the_same_chest(chest_grid):
    first, again, other = (make_atria(np.random.default_rng(seed), chest_grid)[0] for seed in (2, 2, 3))
    assert (first == again).all()
    assert (first != other).any()
