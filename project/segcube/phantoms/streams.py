"""Random numbers of a synthetic case: one stream for each step of making it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Streams:
    """The random streams of the case `index` of `seed`.

    A stream depends on seed, index and the step's name alone: a step that draws more or fewer numbers
    leaves all the others as they were.
    """

    seed: int
    index: int

    def __call__(self, step: str) -> np.random.Generator:
        """Return a new generator at the start of a step's stream."""
        return np.random.default_rng((self.seed, self.index, zlib.crc32(step.encode())))
