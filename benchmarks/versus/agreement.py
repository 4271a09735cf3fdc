"""How far label maps of the same weights agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Image


@dataclass(frozen=True)
class Agreement:
    """One folder of label maps against another."""

    differing: float
    """Of the voxels that are foreground in either map, the share that differs."""
    dice: float
    """Mean over the labels of all cases; two empty masks agree."""
    labels: Mapping[int, float]
    """Each foreground label's share of the other map's voxels: how busy it is."""


def compare(maps: Path, others: Path, names: Mapping[str, str], labels: int) -> Agreement:
    """Compare maps with others of the same cases.

    names: the name of each map, by that of the other's. labels: foreground labels, counted from 1.
    Raises FileNotFoundError for a map that is missing, ValueError for one on another grid.
    """
    foreground = differing = voxels = 0
    both, sizes, shares = np.zeros(labels), np.zeros(labels), np.zeros(labels)
    for other, name in names.items():
        found_xyz, other_xyz = read_map(maps / name), read_map(others / other)
        if found_xyz.shape != other_xyz.shape:
            raise ValueError(f"{maps / name}: a grid of {found_xyz.shape}, the other's is {other_xyz.shape}")
        foreground += np.count_nonzero(found_xyz | other_xyz)
        differing += np.count_nonzero(found_xyz != other_xyz)
        voxels += other_xyz.size
        for label in range(1, labels + 1):
            mine, theirs = found_xyz == label, other_xyz == label
            both[label - 1] += np.count_nonzero(mine & theirs)
            sizes[label - 1] += np.count_nonzero(mine) + np.count_nonzero(theirs)
            shares[label - 1] += np.count_nonzero(theirs)
    dice = np.divide(2 * both, sizes, out=np.ones(labels), where=sizes > 0)
    busy = {label + 1: float(share / voxels) for label, share in enumerate(shares)}
    return Agreement(differing / max(foreground, 1), float(dice.mean()), busy)


def read_map(file: Path) -> np.ndarray:
    """A label map's values (x, y, z)."""
    return np.asarray(Nifti1Image.from_filename(file).dataobj).astype(np.uint8)
