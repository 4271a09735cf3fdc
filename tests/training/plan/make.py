"""Fingerprints for tests."""

from segcube.spec.challenges import Challenge
from segcube.training.plan import CaseFingerprint, Fingerprint, Intensities

INTENSITIES = Intensities(
    mean=500, median=480, std=100, min=1, max=2000, percentile_00_5=50, percentile_99_5=1500
)


def case_of(number: int = 0, **changes) -> CaseFingerprint:
    content = {
        "name": f"case_{number}",
        "shape": (240, 240, 155),
        "spacing": (1, 1, 1),
        "orientation": "LPS",
        "cropped_shape": (137, 171, 140),
        "label_voxels": {"background": 90, "ET": 10},
    }
    return CaseFingerprint.model_validate(content | changes)


def fingerprint_of(challenge: Challenge, count: int = 50, **changes) -> Fingerprint:
    """Equal cases of BraTS's size, or with changes."""
    return Fingerprint(
        channels=challenge.channel_names,
        cases=[case_of(number, **changes) for number in range(count)],
        intensities=[INTENSITIES] * len(challenge.channels),
    )
