"""How well the best threshold of a channel finds a phantom's target; gliomas of patients: Dice about 0.8."""

import numpy as np
import pytest

from segcube.phantoms import make_phantom
from segcube.spec.challenges import load_challenge
from segcube.transforms import largest_component


def best_threshold_dice(image_cxyz, target_xyz):
    """The best Dice of any channel above or below any threshold, cut to its largest component."""
    best = 0.0
    for image_xyz in image_cxyz:
        inside_xyz = image_xyz > 0
        for threshold in np.percentile(image_xyz[inside_xyz], np.arange(4, 100, 4)):
            for mask_xyz in (image_xyz > threshold, inside_xyz & (image_xyz < threshold)):
                found_xyz = largest_component(mask_xyz)
                dice = 2 * (found_xyz & target_xyz).sum() / (found_xyz.sum() + target_xyz.sum())
                best = max(best, float(dice))
    return best


@pytest.mark.parametrize(
    ("key", "region", "lowest", "highest"), [("brats2023-gli", "WT", 0.5, 0.85), ("mbas2024", "LA", 0.1, 0.5)]
)
def test_a_threshold_finds_a_target_as_it_finds_a_patient_s(key, region, lowest, highest):
    challenge = load_challenge(key)
    values = [challenge.labels[label] for label in challenge.regions[region]]
    found = []
    for index in range(4):
        phantom = make_phantom(challenge, 3, index, spacing_mm=3.0)
        found.append(best_threshold_dice(phantom.image_cxyz, np.isin(phantom.labels_xyz, values)))
    assert lowest < np.mean(found) < highest
