import numpy as np
import pytest

from segcube.core import UsageError
from segcube.phantoms.brain.contrast import CHANNELS, draw_contrast
from segcube.phantoms.brain.tissues import Tissue


@pytest.fixture(scope="module")
def levels():
    """Channel -> brightness of 100 cases (100, K)."""
    cases = np.stack([draw_contrast(np.random.default_rng(seed), CHANNELS) for seed in range(100)], axis=1)
    return dict(zip(CHANNELS, cases, strict=True))


def test_white_matter_is_the_unit(levels):
    assert all((channel[:, Tissue.WHITE] == 1).all() for channel in levels.values())


@pytest.mark.parametrize(
    ("channel", "dark", "bright"),
    [
        ("t1n", Tissue.FLUID, Tissue.GREY),
        ("t1n", Tissue.GREY, Tissue.WHITE),
        ("t1n", Tissue.CORE, Tissue.WHITE),
        ("t1c", Tissue.CORE, Tissue.ENHANCING),
        ("t2w", Tissue.WHITE, Tissue.GREY),
        ("t2w", Tissue.EDEMA, Tissue.FLUID),
        ("t2f", Tissue.FLUID, Tissue.WHITE),
        ("t2f", Tissue.GREY, Tissue.EDEMA),
    ],
)
def test_tissues_have_the_order_of_brightness_of_patients(levels, channel, dark, bright):
    assert (levels[channel][:, dark] < levels[channel][:, bright]).mean() > 0.8


def test_edema_is_visible_in_flair(levels):
    assert np.percentile(levels["t2f"][:, Tissue.EDEMA], 5) > 1.05


def test_a_channel_is_the_same_with_and_without_others():
    alone = draw_contrast(np.random.default_rng(4), ("t1c",))
    every = draw_contrast(np.random.default_rng(4), CHANNELS)
    np.testing.assert_array_equal(alone[0], every[CHANNELS.index("t1c")])


def test_an_unknown_channel_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"adc.*t2f, t1n, t1c, t2w"):
        draw_contrast(np.random.default_rng(0), ("adc",))
