import pytest

from segcube.core import CaseError, Code
from segcube.transforms import Resampler
from segcube.transforms.resample import Lattice, plan_resampling


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
    plan = plan_resampling(Lattice((8, 8, 8), source), Lattice((9, 9, 9), target), 3, 1, separate)

    assert plan == Resampler((8, 8, 8), (9, 9, 9), 3, coarse_axis, 1)


def test_a_lattice_past_what_a_file_may_have_is_refused():
    with pytest.raises(CaseError) as caught:
        Lattice((240, 240, 155), (10, 10, 10)).at((1, 1, 1))
    assert caught.value.code == Code.TOO_LARGE
