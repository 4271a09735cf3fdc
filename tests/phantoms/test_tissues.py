import numpy as np
import pytest

from segcube.phantoms.tissues import white_and_grey

LEVELS = {"t1n": (0.3, 0.75, 1.0), "t2w": (3.0, 1.4, 1.0)}
"""Fluid, grey and white matter."""
MM = (4.0, 4.0, 4.0)


@pytest.fixture
def tissue():
    """Thin layers of fluid (0), grey (1) and white matter (2)."""
    return np.tile([0, 1, 1, 1, 2, 2, 2, 2, 2, 1], 4)[:, None, None] * np.ones((40, 40, 40), int)


def image(tissue, channels, seed=0):
    rng = np.random.default_rng(seed)
    bias = np.linspace(0.8, 1.2, 40)
    return np.stack(
        [np.take(LEVELS[name], tissue) * bias * rng.normal(1, 0.03, tissue.shape) for name in channels]
    )


@pytest.mark.parametrize("channels", [("t1n", "t2w"), ("t1n",)])
def test_white_and_grey_matter_are_found_under_the_field_of_a_coil(tissue, channels):
    within = np.ones(tissue.shape, bool)
    white, grey = white_and_grey(image(tissue, channels), within, MM, channels)
    assert (white == (tissue == 2)).mean() > 0.9
    assert (grey == (tissue == 1)).mean() > 0.9


def test_only_voxels_within_the_mask_are_found(tissue):
    within = tissue != 2
    white, grey = white_and_grey(image(tissue, ("t1n",)), within, MM, ("t1n",))
    assert not (white | grey)[tissue == 2].any()


@pytest.mark.parametrize(("channels", "within"), [(("t1n",), False), (("lge",), True)])
def test_nothing_is_found_in_an_empty_mask_or_in_other_channels(tissue, channels, within):
    mask = np.full(tissue.shape, within)
    white, grey = white_and_grey(np.ones((1, *tissue.shape)), mask, MM, channels)
    assert not (white | grey).any()
