"""Synthetic data sets: fingerprints and challenges that plans are compared for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.spec.challenges import Challenge
from segcube.training.plan import CaseFingerprint, Fingerprint, Intensities

REGIONS = {"WT": ["ED", "NCR", "ET"], "TC": ["NCR", "ET"], "ET": ["ET"]}


@dataclass(frozen=True)
class DataSet:
    """What a synthetic fingerprint is drawn from."""

    name: str
    shape: tuple[int, int, int]
    """Along x, y, z, before cropping."""
    spacing: tuple[float, float, float]
    cases: int = 40
    jitter: float = 0.0
    """Largest relative difference of a case's shape and spacing."""
    crop: float = 1.0
    """Share of each axis that is left after cropping."""
    channels: tuple[str, ...] = ("t1",)
    labels: int = 2
    """0: regions of a tumour."""


def drawn_at_random(number: int) -> DataSet:
    """A data set of any kind, from many and isotropic to few and anisotropic."""
    rng = np.random.default_rng(number)
    coarse = float(rng.choice([1.0, 1.0, 1.5, 2.5, 5.0, 10.0]))
    fine = float(rng.uniform(0.3, 2))
    spacing = [fine, fine * float(rng.choice([1.0, 1.0, 1.3])), fine * coarse]
    shape = [*rng.integers(40, 640, 2).tolist(), int(rng.integers(10, 400))]
    order = rng.permutation(3)
    return DataSet(
        name=f"random {number}",
        shape=tuple(shape[axis] for axis in order),
        spacing=tuple(spacing[axis] for axis in order),
        cases=int(rng.integers(1, 1500)),
        jitter=float(rng.choice([0.0, 0.1, 0.4])),
        crop=float(rng.uniform(0.5, 1)),
        channels=("T1", "CT", "zscore", "noNorm", "rescale_to_0_1")[: int(rng.integers(1, 6))],
        labels=int(rng.integers(0, 9)),
    )


DATA_SETS = (
    DataSet("brats", (240, 240, 155), (1, 1, 1), 1251, 0.02, 0.65, ("T1", "T1ce", "T2", "FLAIR"), 0),
    DataSet("brats, equal cases", (240, 240, 155), (1, 1, 1), 60, crop=0.7, channels=("T1", "T2"), labels=3),
    DataSet("atria", (640, 640, 44), (0.625, 0.625, 2.5), 70, labels=3),
    DataSet("thick slices", (256, 216, 10), (1.5625, 1.5625, 10), 100, 0.3, labels=3),
    DataSet("thick slices along y", (320, 12, 320), (0.7, 8, 0.7), 100, 0.2),
    DataSet("abdominal ct", (512, 512, 320), (0.78, 0.78, 2.0), 300, 0.3, 0.9, ("CT",), 13),
    DataSet("prostate", (320, 320, 20), (0.6, 0.6, 3.6), 32, 0.1, channels=("T2", "ADC")),
    DataSet("hippocampus", (36, 50, 35), (1, 1, 1), 260, 0.1),
    DataSet("tiny", (18, 20, 16), (1, 1, 1), 4),
    DataSet("tiny and anisotropic", (24, 28, 6), (1, 1, 4), 12),
    DataSet("cube", (256, 256, 256), (1, 1, 1), 30),
    DataSet("large cube", (512, 512, 512), (0.5, 0.5, 0.5), 20, channels=("T1", "T2")),
    DataSet("one case", (200, 160, 180), (0.9, 0.9, 1.1), 1),
    DataSet("long", (96, 90, 900), (2, 2, 1), 50, 0.1, labels=5),
    DataSet("colours", (300, 280, 60), (1, 1, 2), 25, channels=("rgb_to_0_1", "R"), labels=1),
    *map(drawn_at_random, range(15)),
)


def fingerprint_of(data: DataSet) -> Fingerprint:
    """Draw the cases."""
    rng = np.random.default_rng(len(data.name) + data.cases)
    cases = []
    for number in range(data.cases):
        factor = 1 + data.jitter * rng.uniform(-1, 1, 3)
        shape = [max(int(length * f), 4) for length, f in zip(data.shape, factor, strict=True)]
        cropped = [max(int(length * data.crop), 4) for length in shape]
        spacing = [float(s / f) for s, f in zip(data.spacing, factor, strict=True)]
        cases.append(
            CaseFingerprint(
                name=f"case_{number:04d}",
                shape=shape,
                spacing=spacing,
                orientation="LPS",
                cropped_shape=cropped,
                label_voxels={},
            )
        )
    numbers = ("mean", "median", "std", "min", "max", "percentile_00_5", "percentile_99_5")
    intensities = [
        Intensities(**dict(zip(numbers, (120.0 + n, 110, 35.5, -90, 900, 60, 190), strict=True)))
        for n in range(len(data.channels))
    ]
    return Fingerprint(channels=data.channels, cases=cases, intensities=intensities)


def challenge_of(data: DataSet) -> Challenge:
    labels = {"background": 0} | (
        {f"label{value}": value for value in range(1, data.labels + 1)}
        if data.labels
        else {"ED": 1, "NCR": 2, "ET": 3}
    )
    regions = {name: [name] for name in labels if name != "background"} if data.labels else REGIONS
    painted = {"WT": "ED", "TC": "NCR", "ET": "ET"}
    content = {
        "key": "synthetic",
        "title": "Synthetic",
        "case": r"case_\d{4}",
        "made_case": "case_{number:04d}",
        "layout": "walk",
        "channels": [{"name": name, "suffixes": [f"_{n:04d}"]} for n, name in enumerate(data.channels)],
        "reference": data.channels[0],
        "labels": labels,
        "regions": regions,
        "scored": list(regions),
        "write": [{"region": name, "label": painted.get(name, name)} for name in regions],
        "geometry": {"fixed": False, "grids": [{"shape": [10, 10, 10], "spacing": [1.0, 1.0, 1.0]}]},
    }
    return Challenge.model_validate(content)
