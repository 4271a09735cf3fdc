"""What a training run is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from segcube.types import Shape


@dataclass(frozen=True)
class TrainPlan:
    """How one network is trained; sizes in voxels of the branch's grid."""

    kind: Literal["regions", "labels"]
    """regions: a sigmoid a channel; labels: a softmax, background first."""
    patch: Shape
    steps: int
    rate: float = 0.004
    warmup: int = 40
    flips: tuple[int, ...] = (0, 1, 2)
    """Axes that are mirrored at random."""
    crop_chance: float = 0.0
    """How often a patch comes from a smaller field of view, z-scored anew."""
    focus_chance: float = 0.7
    """How often a patch is centred on a voxel of a target, each target in turn as likely."""
    seed: int = 0
    bf16: bool = False
    """On a CPU that has it: dense convolutions train twice as fast so, depthwise ones do not."""
