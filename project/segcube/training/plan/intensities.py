"""Statistics of foreground intensities, from the voxels that nnU-Net samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from segcube.core import StrictModel

SAMPLED_VOXELS = 100_000_000
"""Of a data set, for each channel."""
SEED = 1234
CHUNK = 2**22
"""Draws at a time; the sequence does not depend on it."""
MERGE_AT = 2**23
"""Values that wait to be merged: integer intensities then take next to no memory."""


class Intensities(StrictModel):
    """Statistics of a channel's sampled foreground voxels, with nnU-Net's names."""

    mean: float
    median: float
    std: float
    min: float
    max: float
    percentile_00_5: float
    percentile_99_5: float


@dataclass(frozen=True)
class Counts:
    """A multiset of intensities: each value once, in increasing order, and how often it occurs."""

    values: np.ndarray
    """(N,) float32."""
    counts: np.ndarray
    """(N,) int32, which holds SAMPLED_VOXELS."""


def samples_per_case(cases: int) -> int:
    """Return the number of voxels that nnU-Net samples of each case, so that all weigh the same."""
    return SAMPLED_VOXELS // max(cases, 1)


def sample_foreground(channels_n: Iterable[np.ndarray], samples: int) -> tuple[Counts, ...]:
    """Sample voxels with replacement, as nnU-Net 2.8.1's fingerprint extractor does.

    channels_n: for each channel its foreground voxels (N,), in the order of an array (z, y, x). samples: of
    each channel. One random stream runs through the channels of a case. No voxels give empty counts.
    """
    stream = np.random.RandomState(SEED)
    return tuple(_sample(values_n, samples, stream) for values_n in channels_n)


def _sample(values_n: np.ndarray, samples: int, stream: np.random.RandomState) -> Counts:
    drawn = np.zeros(len(values_n), dtype=np.int32)
    if len(values_n):
        for start in range(0, samples, CHUNK):
            indices = stream.randint(0, len(values_n), size=min(CHUNK, samples - start))
            drawn += np.bincount(indices, minlength=len(values_n)).astype(np.int32)
    return merge_counts([Counts(values_n.astype(np.float32), drawn)])


def add_counts(parts: list[Counts], part: Counts) -> None:
    """Append a case's multiset to a list, which is merged into one as soon as it has doubled."""
    parts.append(part)
    if sum(len(other.values) for other in parts[1:]) >= max(MERGE_AT, len(parts[0].values)):
        parts[:] = [merge_counts(parts)]


def merge_counts(parts: Sequence[Counts]) -> Counts:
    """Add up multisets; none give an empty one."""
    values_n = np.concatenate([np.empty(0, np.float32), *(part.values for part in parts)])
    counts_n = np.concatenate([np.empty(0, np.int32), *(part.counts for part in parts)])
    unique_n, places_n = np.unique(values_n, return_inverse=True)
    total_n = np.zeros(len(unique_n), dtype=np.int32)
    np.add.at(total_n, places_n, counts_n)
    return Counts(unique_n[total_n > 0], total_n[total_n > 0])


def intensities_of(sampled: Counts) -> Intensities | None:
    """Return the statistics of a multiset; None for an empty one. Percentiles are interpolated linearly."""
    values, counts = sampled.values.astype(np.float64), sampled.counts
    if not len(values):
        return None
    total = int(counts.sum())
    mean = float((values * counts).sum() / total)
    low, median, high = (_percentile(values, counts, percent) for percent in (0.5, 50.0, 99.5))
    return Intensities(
        mean=mean,
        median=median,
        std=float(np.sqrt(((values - mean) ** 2 * counts).sum() / total)),
        min=float(values[0]),
        max=float(values[-1]),
        percentile_00_5=low,
        percentile_99_5=high,
    )


def _percentile(values: np.ndarray, counts: np.ndarray, percent: float) -> float:
    """numpy's percentile of values that are repeated `counts` times."""
    ends = np.cumsum(counts)
    position = (int(ends[-1]) - 1) * percent / 100
    below, above = np.searchsorted(ends, [int(position), min(int(position) + 1, ends[-1] - 1)], side="right")
    return float(values[below] + (values[above] - values[below]) * (position % 1))
