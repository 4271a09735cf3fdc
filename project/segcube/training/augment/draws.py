"""Random choices that the transforms share. Parameters are numpy arrays, NaN where nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segcube.training.keys import StepKey

Rngs = Sequence[np.random.Generator]
"""One generator for each sample of a batch."""


def sample_rngs(key: StepKey, purpose: str, samples: Sequence[int]) -> Rngs:
    """Return the generator of each sample for one purpose."""
    return [key.generator(purpose, sample) for sample in samples]


def happens(rng: np.random.Generator, p: float) -> bool:
    """Return True with probability p."""
    return bool(rng.random() < p)


def below_or_above(rng: np.random.Generator, factor: tuple[float, float], count: int) -> NDArray[np.float64]:
    """Draw factors from the part of a range below 1 or from that above, each half of the time.

    A range on one side of 1 is drawn from as batchgeneratorsv2's BGContrast does. Returns (count,).
    """
    low, high = factor
    below = (rng.random(count) < 0.5) & (low < 1)
    first, last = sorted((max(low, 1), high))
    return np.where(below, rng.uniform(min(low, 1), 1, count), rng.uniform(first, last, count))


def draw_for_samples(rngs: Rngs, p: float, ends: tuple[float, float]) -> NDArray[np.float64]:
    """Draw one value for each sample with probability p, uniformly between `ends`: (B,), NaN for none."""
    return np.array([rng.uniform(*ends) if happens(rng, p) else np.nan for rng in rngs])
