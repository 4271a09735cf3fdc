import numpy as np
import pytest

from segcube.training.diagnosis.alignment import UNMOVED, Move, better_move, explained

SHAPE = (40, 36, 32)


def case(seed, moved=lambda labels_xyz: labels_xyz):
    """Two labels of their own intensities, off the middle of a noisy image."""
    rng = np.random.default_rng(seed)
    labels_xyz = np.zeros(SHAPE, np.uint16)
    x, y, z = rng.integers(4, 8, 3)
    labels_xyz[x : x + 9, y : y + 8, z : z + 7] = 1
    labels_xyz[x + 3 : x + 6, y + 3 : y + 6, z + 2 : z + 5] = 2
    image_xyz = 100 * labels_xyz + rng.normal(0, 30, SHAPE)
    return explained([image_xyz], moved(labels_xyz))


def test_labels_that_fit_explain_most():
    values = case(0)
    assert max(values, key=lambda move: values[move]) == UNMOVED
    assert 0.5 < values[UNMOVED] < 1
    assert better_move([case(seed) for seed in range(4)], 0.75) is None


@pytest.mark.parametrize(
    ("move", "moved"),
    [
        (Move((0,)), lambda labels_xyz: np.flip(labels_xyz, 0)),
        (Move((1, 2)), lambda labels_xyz: np.flip(labels_xyz, (1, 2))),
        (Move(shift=(0, 0, -8)), lambda labels_xyz: np.roll(labels_xyz, 8, 2)),
    ],
)
def test_the_move_that_undoes_a_fault_is_found(move, moved):
    assert better_move([case(seed, moved) for seed in range(4)], 0.75) == (move, 4)


def test_a_single_case_among_others_is_no_fault_of_all():
    cases = [case(0, lambda labels_xyz: np.flip(labels_xyz, 0)), *(case(seed) for seed in (1, 2, 3))]
    assert better_move(cases, 0.75) is None


def test_nothing_labelled_gives_no_values():
    assert explained([np.ones(SHAPE)], np.zeros(SHAPE, np.uint16)) == {}
    assert better_move([], 0.75) is None


def test_moves_are_described():
    assert str(Move((0, 2))) == "mirrored along x and z"
    assert str(Move(shift=(0, -8, 0))) == "shifted by about -8 voxels along y"
