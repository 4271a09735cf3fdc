"""A synthetic brain with intensities, bias field, artefacts and noise."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from segcube.core import Grid, UsageError
from segcube.phantoms.anatomy import Anatomy, make_anatomy
from segcube.phantoms.contrasts import ARTEFACTS, CONTRASTS
from segcube.phantoms.fields import Slices, Space, inside, paint, span
from segcube.phantoms.lesions import Tissue, plant_lesions

_HALF_MM = (76.0, 94.0, 76.0)
_BRIGHTEST = 32000


@dataclass(frozen=True)
class _Head:
    """What all channels of a case share."""

    anatomy: Anatomy
    tissue_xyz: np.ndarray
    spots_xyz: np.ndarray
    texture_xyz: np.ndarray


def make_brain(
    rng: np.random.Generator, grid: Grid, channels: Sequence[str], kinds: Collection[Tissue]
) -> tuple[np.ndarray, np.ndarray]:
    """Make a brain with lesions: int16 image (C, X, Y, Z), 0 outside, and its `Tissue` (X, Y, Z) uint8.

    grid: along the patient's axes, in any direction. kinds: the tissues that its lesions may have.
    Raises UsageError for a channel without known contrasts.
    """
    unknown = [channel for channel in channels if channel not in CONTRASTS]
    if unknown:
        raise UsageError(
            f"synthetic brains have no channel {unknown[0]}", expected="one of " + ", ".join(CONTRASTS)
        )
    space, box = _brain_box(rng, grid)
    anatomy = make_anatomy(rng, space)
    tissue = plant_lesions(rng, anatomy, kinds)
    texture = 1 + rng.uniform(0.02, 0.05) * space.noise(rng, 2.2)
    head = _Head(anatomy, tissue, _spots(rng, anatomy), texture)
    image_cxyz = np.zeros((len(channels), *grid.shape), np.int16)
    for image_xyz, channel in zip(image_cxyz, channels, strict=True):
        image_xyz[box] = _scan(rng, head, channel)
    tissue_xyz = np.zeros(grid.shape, np.uint8)
    tissue_xyz[box] = tissue
    return image_cxyz, tissue_xyz


def _brain_box(rng: np.random.Generator, grid: Grid) -> tuple[Space, Slices]:
    """The brain's box in mm about its middle, which lies near the grid's, and its voxels."""
    axes: list[np.ndarray] = []
    box: list[slice] = []
    for axis, half in enumerate(_HALF_MM):
        middle = grid.shape[axis] / 2 + rng.uniform(-3, 3)
        place = (np.arange(grid.shape[axis]) - middle) * float(grid.affine[axis, axis])
        box.append(span(np.flatnonzero(np.abs(place) < half)))
        axes.append(place[box[-1]])
    return Space(*axes), (box[0], box[1], box[2])


def _spots(rng: np.random.Generator, anatomy: Anatomy) -> np.ndarray:
    """White-matter spots and caps around the ventricles, which are no lesions."""
    space = anatomy.space
    caps = anatomy.ventricle_xyz - rng.uniform(1, 5) - 2.0 * space.noise(rng, 10)
    spots = inside(rng.uniform(1.3, 1.8) - space.noise(rng, 6), 0.3)
    return np.maximum(inside(caps, 3), spots * inside(9 - anatomy.depth_xyz, 3))


def _scan(rng: np.random.Generator, head: _Head, channel: str) -> np.ndarray:
    anatomy, space = head.anatomy, head.anatomy.space
    level = {part: float(rng.uniform(*limits)) for part, limits in CONTRASTS[channel].items()}
    signal = np.ones(space.shape, np.float32)
    paint(signal, head.spots_xyz, level["spots"])
    paint(signal, anatomy.grey_xyz, level["grey"])
    paint(signal, anatomy.fluid_xyz, level["fluid"])
    paint(signal, anatomy.choroid_xyz, level["choroid"])
    paint(signal, anatomy.vessel_xyz, level["vessel"])
    signal *= _artefact(rng, space, channel)
    _paint_lesions(rng, signal, head, [level.get(tissue, 0.0) for tissue in Tissue])
    signal *= head.texture_xyz
    signal *= np.exp(rng.uniform(0.04, 0.12) * space.noise(rng, 70))
    grain = rng.standard_normal(space.shape, dtype=np.float32) + space.noise(rng, 1.3)
    signal = np.abs(signal + np.float32(rng.uniform(0.012, 0.04)) * grain)
    signal *= np.float32(rng.uniform(300, 1800))
    return np.where(anatomy.depth_xyz > 0, np.clip(signal, 1, _BRIGHTEST), 0).astype(np.int16)


def _artefact(rng: np.random.Generator, space: Space, channel: str) -> np.ndarray:
    """Blotches in one channel as large as lesions, like flow and coil artefacts."""
    waves = space.noise(rng, rng.uniform(14, 24))
    rare, (weakest, strongest) = ARTEFACTS[channel]
    blotches = inside(rare + rng.uniform(0, 0.4) - waves, 0.5)
    return 1 + np.float32(rng.uniform(weakest, strongest)) * blotches


def _paint_lesions(
    rng: np.random.Generator, signal: np.ndarray, head: _Head, levels: Sequence[float]
) -> None:
    """Replace the signal of lesions by their own level and texture, blurred at the borders."""
    places = np.argwhere(head.tissue_xyz)
    if not len(places):
        return
    low, high = np.maximum(places.min(0) - 3, 0), places.max(0) + 4
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    tissue, view = head.tissue_xyz[box], signal[box]
    mottle = 1 + np.float32(rng.uniform(0.05, 0.12)) * head.anatomy.space[box].noise(rng, 5)
    signal[box] = _soften(np.where(tissue > 0, np.asarray(levels, np.float32)[tissue] * mottle, view))


def _soften(image: np.ndarray) -> np.ndarray:
    for axis in range(3):
        padded = np.concatenate([image.take([0], axis), image, image.take([-1], axis)], axis)
        size = image.shape[axis]
        low, middle, high = (padded.take(range(k, k + size), axis) for k in range(3))
        image = 0.2 * low + 0.6 * middle + 0.2 * high
    return image
