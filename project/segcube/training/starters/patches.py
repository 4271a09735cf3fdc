"""Random patches of samples with augmentation: zoom, mirroring, field of view, brightness, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from segcube.core import Shape
from segcube.training.starters.samples import WHOLE, Sample


@dataclass(frozen=True)
class TrainPlan:
    """How one network is trained; sizes in voxels of the branch's grid."""

    kind: Literal["regions", "labels"]
    """regions: a sigmoid for each channel; labels: a softmax, background first."""
    patch: Shape
    steps: int
    rate: float = 0.004
    warmup: int = 40
    flips: tuple[int, ...] = (0, 1, 2)
    """Axes to mirror at random."""
    crop_chance: float = 0.0
    """Probability of a patch from a smaller field of view, normalised again."""
    focus_chance: float = 0.7
    """Probability of a patch centred on a voxel of a random target."""
    seed: int = 0
    bf16: bool = False
    """Dense convolutions train twice as fast on a CPU with bf16, depthwise ones do not."""


_ZOOM = 0.2
_SMALLEST_VIEW = 0.45


def draw_patch(
    rng: np.random.Generator, sample: Sample, plan: TrainPlan
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a patch of `plan.patch` voxels: image (C, ...) and targets (K, ...) from 0 to 1, float32."""
    image, target = sample.image_cxyz, sample.target_kxyz
    if rng.random() < plan.crop_chance:
        image, target = _field_of_view(rng, image, target)
    zoom = np.exp(rng.uniform(-_ZOOM, _ZOOM, 3))
    x, y, z = (max(round(size / factor), 1) for size, factor in zip(plan.patch, zoom, strict=True))
    start = _corner(rng, target, (x, y, z), plan)
    pair = [torch.from_numpy(_cut(array, start, (x, y, z))) for array in (image, target)]
    flips = [axis + 1 for axis in plan.flips if rng.random() < 0.5]
    image_cxyz, target_kxyz = (
        functional.interpolate(part[None], plan.patch, mode="trilinear", align_corners=False)[0].flip(flips)
        for part in pair
    )
    return _vary(rng, image_cxyz), target_kxyz / WHOLE


def _field_of_view(
    rng: np.random.Generator, image: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Crop a random box, and normalise it to mean 0 and deviation 1 again."""
    sizes = image.shape[1:]
    extents = [max(8, int(size * rng.uniform(_SMALLEST_VIEW, 1))) for size in sizes]
    starts = [
        int(rng.integers(0, max(size - extent, 0) + 1)) for size, extent in zip(sizes, extents, strict=True)
    ]
    box = (
        slice(None),
        *(slice(start, start + extent) for start, extent in zip(starts, extents, strict=True)),
    )
    view = image[box].astype(np.float32)
    view = (view - view.mean()) / max(float(view.std()), 1e-3)
    return view, target[box]


def _corner(rng: np.random.Generator, target: np.ndarray, extent: Shape, plan: TrainPlan) -> list[int]:
    """The first voxel of a patch: around a voxel of one target, or anywhere."""
    sizes = target.shape[1:]
    middle = [int(rng.integers(0, size)) for size in sizes]
    if rng.random() < plan.focus_chance:
        first = 1 if plan.kind == "labels" else 0
        places = np.argwhere(target[rng.integers(first, len(target)), ::2, ::2, ::2] > WHOLE // 2)
        if len(places):
            jitter = rng.uniform(-0.3, 0.3, 3) * extent
            middle = [int(2 * p + j) for p, j in zip(places[rng.integers(len(places))], jitter, strict=True)]
    corner: list[int] = []
    for size, length, centre in zip(sizes, extent, middle, strict=True):
        low, high = min(0, (size - length) // 2), max(size - length, (size - length) // 2)
        corner.append(int(np.clip(centre - length // 2, low, high)))
    return corner


def _cut(array: np.ndarray, start: list[int], extent: Shape) -> np.ndarray:
    """Crop a box, padded with 0 beyond the array, float32."""
    part = np.zeros((len(array), *extent), np.float32)
    outside, within = [slice(None)], [slice(None)]
    for first, length, size in zip(start, extent, array.shape[1:], strict=True):
        low, high = max(first, 0), min(first + length, size)
        within.append(slice(low, high))
        outside.append(slice(low - first, high - first))
    part[tuple(outside)] = array[tuple(within)]
    return part


def _vary(rng: np.random.Generator, image_cxyz: torch.Tensor) -> torch.Tensor:
    """Change gamma, contrast, brightness and noise of each channel on its own; zeros stay."""
    varied: list[torch.Tensor] = []
    for channel in image_cxyz:
        inside = channel != 0
        low, high = channel.amin(), channel.amax()
        span = torch.clamp(high - low, min=1e-3)
        curved = ((channel - low) / span) ** float(np.exp(rng.uniform(-0.35, 0.35))) * span + low
        curved = curved * float(np.exp(rng.uniform(-0.25, 0.25))) + rng.uniform(-0.25, 0.25)
        noise = torch.from_numpy(rng.standard_normal(channel.shape, dtype=np.float32))
        varied.append((curved + rng.uniform(0, 0.15) * noise) * inside)
    return torch.stack(varied)
