"""What is compared: a plan of a model, a line of the matrix, and what must hold in it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from typing import Literal

Three = tuple[int, int, int]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Plan:
    """An nnU-Net plan of random weights; sizes and spacings are in nnU-Net's order (z, y, x)."""

    name: str
    challenge: str
    channels: tuple[str, ...]
    labels: tuple[str, ...]
    patch: Three
    spacing: tuple[float, float, float]
    masked: bool
    """Normalise over the voxels that aren't background alone."""
    features: tuple[int, ...]
    blocks: tuple[int, ...]
    kernels: tuple[Three, ...]
    strides: tuple[Three, ...]
    seed: int
    """Of the made cases."""
    coarser: Three = (1, 1, 1)
    """The challenge's grid with voxels so many times as long, for a quick run."""

    def windows(self, shape: Three) -> int:
        """Windows of a cropped grid (z, y, x), half overlapping as nnU-Net lays them."""
        steps = (ceil((max(n, p) - p) / (p / 2)) + 1 for n, p in zip(shape, self.patch, strict=True))
        return prod(steps)


@dataclass(frozen=True)
class Goal:
    """How many times as fast and as lean a contestant must be as another; None where nothing is asked."""

    contestant: str
    rival: str
    faster: float | None = None
    leaner: float | None = None


@dataclass(frozen=True)
class Row:
    """One line of the matrix: every contestant, `rounds` times in turn."""

    name: str
    plan: Plan
    contestants: tuple[str, ...]
    folds: int = 1
    mirrors: bool = False
    cases: int = 1
    rounds: int = 1
    device: Device = "cpu"
    goals: tuple[Goal, ...] = ()
