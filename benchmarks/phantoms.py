"""How far contrasts of phantoms carry over to scans, without a network.

A classifier by gaussian mixtures learns the voxels of 24 phantoms at 2 mm and finds whole tumours (WT) in
the labelled scans of a folder; a threshold on FLAIR, which learns nothing, does the same. Prints the mean
Dice of both.

    python benchmarks/phantoms.py DATA LABELS [CHALLENGE] [COUNT]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mixture import Mixture, fit_mixture
from scipy import ndimage

from segcube.evaluation import find_maps
from segcube.formats import discover_cases
from segcube.formats.nifti import read_labels, read_volume
from segcube.phantoms import make_phantom
from segcube.spec.challenges import Challenge, load_challenge

KEY, COUNT, SEED = "brats2021-gli", 24, 0
STEP_MM = 2.0
SMOOTH_VOXELS = 1.0
COMPONENTS = {"healthy": 12, "tumour": 6}
SAMPLE = 2500
"""Voxels of each class that a phantom gives."""
RIM_VOXELS = 3
"""The outermost voxels of a brain, where scalp and vessels remain, are no tumour."""
FLAIR_Z = 1.5


@dataclass(frozen=True)
class Scan:
    """Smoothed z-scores (C, X, Y, Z), the brain, and the whole tumour."""

    name: str
    scores_cxyz: np.ndarray
    brain_xyz: np.ndarray
    tumour_xyz: np.ndarray


def prepare(name: str, image_cxyz: np.ndarray, tumour_xyz: np.ndarray) -> Scan:
    """Standardize each channel in the brain, and smooth it there."""
    image_cxyz = image_cxyz.astype(np.float64)
    brain_xyz = (image_cxyz > 0).all(axis=0)
    weight_xyz = np.maximum(ndimage.gaussian_filter(brain_xyz.astype(float), SMOOTH_VOXELS), 1e-6)
    scores: list[np.ndarray] = []
    for image_xyz in image_cxyz:
        inside = image_xyz[brain_xyz]
        score_xyz = np.where(brain_xyz, (image_xyz - inside.mean()) / inside.std(), 0)
        scores.append(ndimage.gaussian_filter(score_xyz, SMOOTH_VOXELS) / weight_xyz)
    return Scan(name, np.stack(scores), brain_xyz, tumour_xyz & brain_xyz)


def at_step(challenge: Challenge) -> Challenge:
    """The challenge with its first grid at STEP_MM."""
    usual = challenge.geometry.grids[0]
    shape = tuple(round(length * mm / STEP_MM) for length, mm in zip(usual.shape, usual.spacing, strict=True))
    grid = usual.model_copy(update={"shape": shape, "spacing": (STEP_MM,) * 3})
    geometry = challenge.geometry.model_copy(update={"grids": (grid,)})
    return challenge.model_copy(update={"geometry": geometry})


def phantoms(challenge: Challenge, count: int) -> Iterator[Scan]:
    coarse = at_step(challenge)
    for index in range(count):
        phantom = make_phantom(coarse, SEED, index)
        yield prepare(phantom.case, phantom.image_cxyz, whole_tumour(challenge, phantom.labels_xyz))


def patients(challenge: Challenge, data: Path, labels: Path) -> Iterator[Scan]:
    """The labelled scans, averaged over blocks of STEP_MM."""
    files = find_maps(labels, challenge)
    for case in discover_cases(data, challenge).cases:
        volume = read_volume(case, challenge.channel_names)
        factors = tuple(max(round(STEP_MM / mm), 1) for mm in volume.grid.spacing)
        tumour_xyz = whole_tumour(challenge, read_labels(files[case.name])[0])
        image_cxyz = np.stack([blocks(channel_xyz, factors) for channel_xyz in volume.voxels])
        yield prepare(case.name, image_cxyz, blocks(tumour_xyz, factors) >= 0.5)


def blocks(array_xyz: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Averages of blocks; an incomplete block at the end is left out."""
    shape = [size // factor for size, factor in zip(array_xyz.shape, factors, strict=True)]
    cut = tuple(slice(0, size * factor) for size, factor in zip(shape, factors, strict=True))
    split = [part for pair in zip(shape, factors, strict=True) for part in pair]
    return np.asarray(array_xyz[cut], np.float64).reshape(split).mean(axis=(1, 3, 5))


def whole_tumour(challenge: Challenge, labels_xyz: np.ndarray) -> np.ndarray:
    return np.isin(labels_xyz, [challenge.labels[label] for label in challenge.regions["WT"]])


def train(scans: Iterator[Scan]) -> tuple[Mixture, Mixture, float]:
    """Mixtures of healthy and of tumour voxels, and the logarithm of the odds of tumour."""
    rng = np.random.default_rng(SEED)
    voxels: dict[str, list[np.ndarray]] = {name: [] for name in COMPONENTS}
    tumour = healthy = 0
    for scan in scans:
        for name, mask_xyz in (
            ("healthy", scan.brain_xyz & ~scan.tumour_xyz),
            ("tumour", scan.tumour_xyz),
        ):
            found_nc = scan.scores_cxyz[:, mask_xyz].T
            voxels[name].append(rng.permutation(found_nc)[:SAMPLE])
        tumour += int(scan.tumour_xyz.sum())
        healthy += int((scan.brain_xyz & ~scan.tumour_xyz).sum())
    fitted = {name: fit_mixture(np.concatenate(voxels[name]), COMPONENTS[name], rng) for name in COMPONENTS}
    return fitted["healthy"], fitted["tumour"], float(np.log(tumour / healthy))


def by_mixtures(scan: Scan, healthy: Mixture, tumour: Mixture, odds: float) -> np.ndarray:
    voxels_nc = scan.scores_cxyz[:, scan.brain_xyz].T
    found_xyz = np.zeros(scan.brain_xyz.shape, bool)
    found_xyz[scan.brain_xyz] = tumour.log_density(voxels_nc) + odds > healthy.log_density(voxels_nc)
    return found_xyz


def by_flair(scan: Scan, channel: int) -> np.ndarray:
    """FLAIR above FLAIR_Z robust deviations."""
    inside = scan.scores_cxyz[channel][scan.brain_xyz]
    middle = np.median(inside)
    spread = 1.4826 * np.median(np.abs(inside - middle))
    return scan.brain_xyz & (scan.scores_cxyz[channel] > middle + FLAIR_Z * spread)


def clean(found_xyz: np.ndarray, scan: Scan) -> np.ndarray:
    """The largest component of the opened mask, off the brain's rim."""
    inner_xyz = ndimage.binary_erosion(scan.brain_xyz, iterations=RIM_VOXELS)
    opened_xyz = ndimage.binary_opening(found_xyz & inner_xyz)
    numbered_xyz, count = ndimage.label(opened_xyz)
    return numbered_xyz == np.bincount(numbered_xyz.ravel())[1:].argmax() + 1 if count else opened_xyz


def dice(found_xyz: np.ndarray, scan: Scan) -> float:
    return float(2 * (found_xyz & scan.tumour_xyz).sum() / (found_xyz.sum() + scan.tumour_xyz.sum()))


def main() -> None:
    data, labels = map(Path, sys.argv[1:3])
    challenge = load_challenge(sys.argv[3] if len(sys.argv) > 3 else KEY)
    count = int(sys.argv[4]) if len(sys.argv) > 4 else COUNT
    healthy, tumour, odds = train(phantoms(challenge, count))
    flair = challenge.channel_names.index("t2f")
    steps: dict[str, Callable[[Scan], np.ndarray]] = {
        "mixtures": lambda scan: by_mixtures(scan, healthy, tumour, odds),
        "mixtures, cleaned": lambda scan: clean(by_mixtures(scan, healthy, tumour, odds), scan),
        "FLAIR": lambda scan: by_flair(scan, flair),
        "FLAIR, cleaned, dilated": lambda scan: ndimage.binary_dilation(clean(by_flair(scan, flair), scan)),
    }
    scores: dict[str, list[float]] = {name: [] for name in steps}
    for scan in patients(challenge, data, labels):
        for name, step in steps.items():
            scores[name].append(dice(step(scan), scan))
        print(scan.name, *(f"{name} {found[-1]:.3f}" for name, found in scores.items()), sep="  ")
    for name, found in scores.items():
        print(f"WT by {name}: mean {np.mean(found):.3f}, median {np.median(found):.3f}")


if __name__ == "__main__":
    main()
