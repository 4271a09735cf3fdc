"""Whether labels fit their images: how much of the intensities they explain, as they are and moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import ndimage

SHIFTS = (4, 8, 16)
"""Voxels along each axis, in both directions."""
SURROUNDINGS = 4
"""Voxels around the labels that belong to the comparison, as background."""
MARGIN = 1.25
"""A moved label map fits better if it explains so many times more."""


@dataclass(frozen=True)
class Move:
    """Mirrored along axes, or shifted by voxels; neither leaves the labels where they are."""

    mirrored: tuple[int, ...] = ()
    shift: tuple[int, int, int] = (0, 0, 0)

    def apply(self, places_n3: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """Return the places of voxels after the move."""
        moved_n3 = places_n3 + np.array(self.shift)
        for axis in self.mirrored:
            moved_n3[:, axis] = shape[axis] - 1 - moved_n3[:, axis]
        return moved_n3

    def __str__(self) -> str:
        if self.mirrored:
            return "mirrored along " + " and ".join("xyz"[axis] for axis in self.mirrored)
        axis = next(axis for axis, by in enumerate(self.shift) if by)
        return f"shifted by about {self.shift[axis]:+d} voxels along {'xyz'[axis]}"


UNMOVED = Move()


def moves() -> Iterator[Move]:
    """Yield the moves that are tried."""
    for count in (1, 2, 3):
        yield from (Move(axes) for axes in combinations(range(3), count))
    for axis in range(3):
        for by in (sign * size for size in SHIFTS for sign in (1, -1)):
            shift = [0, 0, 0]
            shift[axis] = by
            yield Move(shift=(shift[0], shift[1], shift[2]))


def explained(channels: Sequence[np.ndarray], labels_xyz: np.ndarray) -> dict[Move, float]:
    """Return how much of the images the labels explain, as they are and for each move.

    channels: (X, Y, Z) each. labels_xyz: indices from 0, the background. The sum over channels of the share
    of the variance between labels (eta squared) among the labelled voxels and those around them. Empty where
    nothing is labelled.
    """
    if not labels_xyz.any():
        return {}
    near_xyz = ndimage.binary_dilation(labels_xyz != 0, iterations=SURROUNDINGS)
    places_n3, labels_n = np.argwhere(near_xyz), labels_xyz[near_xyz].astype(np.intp)
    found: dict[Move, float] = {}
    for move in (UNMOVED, *moves()):
        moved_n3 = move.apply(places_n3, labels_xyz.shape)
        inside_n = ((moved_n3 >= 0) & (moved_n3 < labels_xyz.shape)).all(axis=1)
        if 2 * np.count_nonzero(inside_n) < len(inside_n):
            continue
        index = tuple(moved_n3[inside_n].T)
        found[move] = sum(_eta_squared(image_xyz[index], labels_n[inside_n]) for image_xyz in channels)
    return found


def better_move(cases: Sequence[Mapping[Move, float]], share: float) -> tuple[Move, int] | None:
    """Return the move by which the labels of most cases fit better, and of how many; None if there is none.

    share: of the cases that have to agree. Of several moves, that of most cases, then that which explains
    most.
    """
    counts: dict[Move, tuple[int, float]] = {}
    for case in cases:
        for move, value in case.items():
            count, total = counts.get(move, (0, 0.0))
            counts[move] = (count + (value > MARGIN * case[UNMOVED]), total + value)
    if not counts:
        return None
    move = max(counts, key=lambda one: counts[one])
    agreeing = counts[move][0]
    return (move, agreeing) if agreeing and agreeing >= share * len(cases) else None


def _eta_squared(values_n: np.ndarray, labels_n: np.ndarray) -> float:
    values_n = values_n.astype(np.float64)
    counts_k = np.bincount(labels_n)
    sums_k = np.bincount(labels_n, values_n)
    used_k = counts_k > 0
    mean = values_n.mean()
    between = float((counts_k[used_k] * (sums_k[used_k] / counts_k[used_k] - mean) ** 2).sum())
    total = float(((values_n - mean) ** 2).sum())
    return between / total if total else 0.0
