"""How far contrasts of phantoms carry over to scans, without a network.

A classifier by gaussian mixtures learns the voxels of 24 phantoms at 2 mm and finds whole tumours (WT) in
the labelled scans of a folder. Two references do the same: the same classifier trained on the other scans of
the folder (leave one out), and a threshold on FLAIR, which learns nothing. Prints the mean Dice, voxel by
voxel and cleaned (opened and cut to the largest component), the spread over seeds, and a table of cases.

    python benchmarks/phantoms.py DATA LABELS [--challenge KEY] [--count N] [--seeds SEED ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
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

KEY, COUNT, SEEDS = "brats2021-gli", 24, range(10)
STEP_MM = 2.0
SMOOTH_VOXELS = 1.0
HEALTHY_COMPONENTS, LABEL_COMPONENTS = 8, 3
SAMPLE = 6000
"""Brain voxels of each phantom."""
SCORES = (-4.0, 5.0)
"""Range of the z-scores."""
RIM_VOXELS = 1
"""The outermost voxels of a brain, where scalp and vessels remain, are no tumour."""
FLAIR_Z = 1.5


@dataclass(frozen=True)
class Scan:
    """Smoothed z-scores (C, X, Y, Z), the brain, and the labels; 0 is no tumour."""

    name: str
    scores_cxyz: np.ndarray
    brain_xyz: np.ndarray
    labels_xyz: np.ndarray


def prepare(name: str, image_cxyz: np.ndarray, labels_xyz: np.ndarray) -> Scan:
    """Standardize each channel in the brain, and smooth it there."""
    image_cxyz = image_cxyz.astype(np.float64)
    brain_xyz = (image_cxyz > 0).all(axis=0)
    weight_xyz = np.maximum(ndimage.gaussian_filter(brain_xyz.astype(float), SMOOTH_VOXELS), 1e-6)
    scores: list[np.ndarray] = []
    for image_xyz in image_cxyz:
        inside = image_xyz[brain_xyz]
        score_xyz = np.clip((image_xyz - inside.mean()) / inside.std(), *SCORES) * brain_xyz
        scores.append(ndimage.gaussian_filter(score_xyz, SMOOTH_VOXELS) / weight_xyz)
    return Scan(name, np.stack(scores), brain_xyz, labels_xyz * brain_xyz)


def phantoms(challenge: Challenge, count: int, seed: int) -> Iterator[Scan]:
    for index in range(count):
        phantom = make_phantom(challenge, seed, index, STEP_MM)
        yield prepare(phantom.case, phantom.image_cxyz, tumour_labels(challenge, phantom.labels_xyz))


def patients(challenge: Challenge, data: Path, labels: Path) -> Iterator[Scan]:
    """The labelled scans, averaged over blocks of STEP_MM; a block is brain if half of it is."""
    files = find_maps(labels, challenge)
    for case in discover_cases(data, challenge).cases:
        volume = read_volume(case, challenge.channel_names)
        factors = tuple(max(round(STEP_MM / mm), 1) for mm in volume.grid.spacing)
        labels_xyz = tumour_labels(challenge, read_labels(files[case.name])[0])
        shares = np.stack([blocks(labels_xyz == value, factors) for value in range(labels_xyz.max() + 1)])
        coarse_xyz = np.where(shares[0] <= 0.5, 1 + shares[1:].argmax(axis=0), 0)
        brain_xyz = blocks(np.all([channel_xyz > 0 for channel_xyz in volume.voxels], axis=0), factors)
        image_cxyz = np.stack([blocks(channel_xyz, factors) for channel_xyz in volume.voxels])
        image_cxyz = np.where(brain_xyz >= 0.5, image_cxyz / np.maximum(brain_xyz, 0.5), 0)
        yield prepare(case.name, image_cxyz, coarse_xyz)


def blocks(array_xyz: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Averages of blocks; an incomplete block at the end is left out."""
    shape = [size // factor for size, factor in zip(array_xyz.shape, factors, strict=True)]
    cut = tuple(slice(0, size * factor) for size, factor in zip(shape, factors, strict=True))
    split = [part for pair in zip(shape, factors, strict=True) for part in pair]
    return np.asarray(array_xyz[cut], np.float64).reshape(split).mean(axis=(1, 3, 5))


def tumour_labels(challenge: Challenge, labels_xyz: np.ndarray) -> np.ndarray:
    """1, 2 ... for the labels of WT in the challenge's order, 0 elsewhere."""
    found_xyz = np.zeros(labels_xyz.shape, np.uint8)
    for number, label in enumerate(challenge.regions["WT"], start=1):
        found_xyz[labels_xyz == challenge.labels[label]] = number
    return found_xyz


def train(scans: Iterable[Scan], seed: int) -> list[tuple[float, Mixture]]:
    """The logarithm of the frequency and the mixture of healthy voxels, then those of each label found."""
    rng = np.random.default_rng(seed)
    voxels, labels = list[np.ndarray](), list[np.ndarray]()
    for scan in scans:
        chosen = rng.permutation(np.flatnonzero(scan.brain_xyz))[:SAMPLE]
        voxels.append(scan.scores_cxyz.reshape(len(scan.scores_cxyz), -1)[:, chosen].T)
        labels.append(scan.labels_xyz.ravel()[chosen])
    voxels_nc, labels_n = np.concatenate(voxels), np.concatenate(labels)
    classes: list[tuple[float, Mixture]] = []
    for label in np.unique(labels_n):
        found_nc = voxels_nc[labels_n == label]
        mixture = fit_mixture(found_nc, LABEL_COMPONENTS if label else HEALTHY_COMPONENTS, rng)
        classes.append((float(np.log(len(found_nc) / len(labels_n))), mixture))
    return classes


def by_mixtures(scan: Scan, classes: list[tuple[float, Mixture]]) -> np.ndarray:
    """Voxels that are rather of a tumour's label than healthy."""
    voxels_nc = scan.scores_cxyz[:, scan.brain_xyz].T
    healthy, *tumour = (odds + mixture.log_density(voxels_nc) for odds, mixture in classes)
    found_xyz = np.zeros(scan.brain_xyz.shape, bool)
    found_xyz[scan.brain_xyz] = np.logaddexp.reduce(tumour) > healthy
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
    tumour_xyz = scan.labels_xyz > 0
    return float(2 * (found_xyz & tumour_xyz).sum() / (found_xyz.sum() + tumour_xyz.sum()))


def by_other_patients(scans: list[Scan], seed: int) -> list[np.ndarray]:
    """Leave one out: tumours of each patient by the mixtures of all others, cleaned."""
    found: list[np.ndarray] = []
    for index, scan in enumerate(scans):
        classes = train(scans[:index] + scans[index + 1 :], seed)
        found.append(clean(by_mixtures(scan, classes), scan))
    return found


def main() -> None:
    arguments = parse()
    challenge = load_challenge(arguments.challenge)
    scans = list(patients(challenge, arguments.data, arguments.labels))
    flair = [by_flair(scan, challenge.channel_names.index("t2f")) for scan in scans]
    show("FLAIR", flair, scans)
    columns = {
        "FLAIR": show("FLAIR, cleaned", [clean(*pair) for pair in zip(flair, scans, strict=True)], scans)
    }
    if len(scans) > 1:
        others = by_other_patients(scans, arguments.seeds[0])
        columns["patients"] = show("mixtures of the other patients, cleaned", others, scans)
    rows: list[list[float]] = []
    for seed in arguments.seeds:
        classes = train(phantoms(challenge, arguments.count, seed), seed)
        found = [by_mixtures(scan, classes) for scan in scans]
        show(f"mixtures of phantoms, seed {seed}", found, scans)
        cleaned = [clean(*pair) for pair in zip(found, scans, strict=True)]
        rows.append(show(f"mixtures of phantoms, seed {seed}, cleaned", cleaned, scans))
    columns["phantoms"] = np.mean(rows, axis=0).tolist()
    means = np.mean(rows, axis=1)
    print(
        f"mixtures of phantoms, cleaned: mean of {len(means)} seeds {means.mean():.3f}, "
        f"from {means.min():.3f} to {means.max():.3f}, standard deviation {means.std():.3f}"
    )
    print("\t".join(("case, cleaned", *columns)))
    for scan, *scores in zip(scans, *columns.values(), strict=True):
        print("\t".join((scan.name, *(f"{score:.3f}" for score in scores))))
    print("\t".join(("mean", *(f"{np.mean(scores):.3f}" for scores in columns.values()))))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="labelled scans of brains")
    parser.add_argument("labels", type=Path, help="their label maps")
    parser.add_argument("--challenge", default=KEY, help="default: %(default)s")
    parser.add_argument(
        "--count", type=int, default=COUNT, help="phantoms of each seed; default: %(default)s"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="default: 0 to 9")
    return parser.parse_args()


def show(name: str, found: list[np.ndarray], scans: list[Scan]) -> list[float]:
    """Print the mean and median Dice of WT, and return it for each scan."""
    scores = [dice(*pair) for pair in zip(found, scans, strict=True)]
    print(f"WT by {name}: mean {np.mean(scores):.3f}, median {np.median(scores):.3f}", flush=True)
    return scores


if __name__ == "__main__":
    main()
