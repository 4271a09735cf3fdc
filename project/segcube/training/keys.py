"""Random numbers of a training: each stream is a function of seed, step, sample and purpose alone.

Nothing about random numbers is saved in a checkpoint: step 12,001 draws the same numbers in every process.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class StepKey:
    """The random numbers of one training step."""

    seed: int
    step: int

    def generator(self, purpose: str, sample: int = 0) -> np.random.Generator:
        """Return the Philox stream of a purpose, such as a transform, for one sample."""
        words = np.random.SeedSequence((self.seed, self.step, sample, zlib.crc32(purpose.encode())))
        return np.random.Generator(np.random.Philox(words))

    def device_generator(self, purpose: str, device: torch.device, sample: int = 0) -> torch.Generator:
        """Return a generator on a device, for large draws such as noise; values differ between devices."""
        seed = int(self.generator(purpose, sample).integers(2**63))
        return torch.Generator(device).manual_seed(seed)
