"""Phantoms are useful only if no threshold finds their targets."""

import numpy as np
import pytest

from segcube.phantoms import make_phantom
from segcube.spec.challenges import load_challenge
from segcube.transforms import largest_component


def best_threshold_dice(image_cxyz, target_xyz, step):
    """The best Dice of any channel above or below any threshold, cut to its largest component."""
    thin = (slice(None, None, step),) * 2
    target = target_xyz[thin]
    best = 0.0
    for channel in image_cxyz:
        view = channel[thin]
        inside = view > 0
        for threshold in np.percentile(view[inside], np.arange(4, 100, 4)):
            for mask in (view > threshold, inside & (view < threshold)):
                found = largest_component(mask)
                dice = 2 * (found & target).sum() / (found.sum() + target.sum())
                best = max(best, float(dice))
    return best


@pytest.mark.parametrize(("key", "region", "step"), [("brats2023-gli", "WT", 4), ("mbas2024", "LA", 6)])
def test_no_threshold_finds_the_target(key, region, step):
    challenge = load_challenge(key)
    phantom = make_phantom(challenge, seed=3, index=0)
    target = np.isin(phantom.labels_xyz, [challenge.labels[label] for label in challenge.regions[region]])
    assert 0.01 < best_threshold_dice(phantom.image_cxyz, target, step) <= 0.6
