"""Brightness of a filled brain, and the mask that strips it of its skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.core import Shape
from segcube.phantoms.brain.anatomy import Healthy
from segcube.phantoms.brain.extent import smooth_noise_at
from segcube.phantoms.brain.tissues import LESION, Tissue


@dataclass(frozen=True)
class Content:
    """The N voxels of the box that the brain fills, with shares (K, N) of every tissue."""

    index: tuple[np.ndarray, ...]
    points_3n: np.ndarray
    healthy: Healthy
    shares_kn: np.ndarray
    lesion_n: np.ndarray
    """`Tissue` of lesions, 0 elsewhere."""


@dataclass(frozen=True)
class Texture:
    """Deviations of the brightness within a tissue, relative to it."""

    healthy: tuple[float, float, float]
    """Of healthy tissue, at each of HEALTHY_MM: vessels and fibres, iron, and regions that ripen late."""
    fine: float
    coarse: float
    """Of lesions, at 2 to 5 mm and at 15 to 30 mm."""
    fine_mm: float
    coarse_mm: float


HEALTHY_MM = (2.5, 7.0, 18.0)
T2_WEIGHTED = ("t2f", "t2w")
"""Channels where a share of change in T2 weighs about twice as much as one in T1: their TE is above T2."""


def draw_texture(rng: np.random.Generator, channel: str) -> Texture:
    """Draw a channel's texture; T1 and T2 of white matter vary by 3 to 6 % within a brain (Stanisz 2005)."""
    factor = 1.0 if channel in T2_WEIGHTED else 0.5
    return Texture(
        healthy=(
            factor * rng.uniform(0.02, 0.07),
            factor * rng.uniform(0.02, 0.06),
            factor * rng.uniform(0.02, 0.08),
        ),
        fine=rng.uniform(0.02, 0.11),
        coarse=rng.uniform(0.03, 0.18),
        fine_mm=rng.uniform(2.5, 6),
        coarse_mm=rng.uniform(14, 30),
    )


def paint(rng: np.random.Generator, content: Content, levels_k: np.ndarray, channel: str) -> np.ndarray:
    """Return the signal (N,) of a channel in which each tissue has a level."""
    texture = draw_texture(rng, channel)
    points = content.points_3n
    signal = levels_k @ content.shares_kn
    for deviation, scale_mm in zip(texture.healthy, HEALTHY_MM, strict=True):
        signal *= np.exp(deviation * smooth_noise_at(rng, scale_mm, points))
    if channel == "t2f":
        signal += _flair_extra(rng, content, levels_k)
    lesion = content.shares_kn[list(LESION)].sum(axis=0)
    near = np.flatnonzero(lesion > 0)
    waves = texture.coarse * smooth_noise_at(rng, texture.coarse_mm, points[:, near])
    waves += texture.fine * smooth_noise_at(rng, texture.fine_mm, points[:, near])
    signal[near] *= np.exp(lesion[near] * waves)
    return np.maximum(signal, 0)


def _flair_extra(rng: np.random.Generator, content: Content, levels_k: np.ndarray) -> np.ndarray:
    """What FLAIR shows beyond its equation: pulsating fluid that isn't nulled, and brighter limbic cortex."""
    flow = np.maximum(smooth_noise_at(rng, 25, content.points_3n) - rng.uniform(0.5, 2), 0)
    x, y, z = content.points_3n
    limbic = np.exp(-(((np.abs(x) - 33) / 8) ** 2) - ((z + 6) / 18) ** 2) + np.exp(-((x / 9) ** 2))
    bright = rng.uniform(0, 0.18) * levels_k[Tissue.GREY] * limbic * (np.abs(y) < 45)
    return 0.4 * flow * content.shares_kn[Tissue.FLUID] + bright * content.shares_kn[Tissue.GREY]


def brain_mask(rng: np.random.Generator, content: Content, shape: Shape) -> np.ndarray:
    """Return the mask (X, Y, Z) of skull stripping, up to 2 mm too wide or too narrow, rarely with a hole."""
    depth = content.healthy.depth_n
    border = rng.uniform(-0.8, 1.8) + rng.uniform(0.2, 1.0) * smooth_noise_at(rng, 14, content.points_3n)
    mask_n = depth > np.maximum(border, -2.0)
    if rng.random() < 0.05:
        surface = np.flatnonzero((depth > 0) & (depth < 3))
        centre = content.points_3n[:, surface[int(rng.integers(len(surface)))]][:, None]
        away = np.sqrt(((content.points_3n - centre) ** 2).sum(axis=0))
        mask_n &= away > rng.uniform(4, 10)
    mask_xyz = np.zeros(shape, bool)
    mask_xyz[content.index] = mask_n
    return mask_xyz
