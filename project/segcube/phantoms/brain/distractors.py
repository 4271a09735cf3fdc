"""What is bright or dark in a brain and is no tumour: vessels, dura, choroid, small vessel disease, skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.phantoms.brain.anatomy import Healthy
from segcube.phantoms.brain.extent import smooth_noise_at
from segcube.phantoms.brain.tissues import Tissue
from segcube.phantoms.fields import inside

_SKULL_MM = (3.0, 9.0, 17.0)
"""From the brain to the skull's inner side, to the scalp, and to the skin."""


@dataclass(frozen=True)
class Distractors:
    """What a case has of each, drawn by `draw_distractors`."""

    cap_mm: float
    """Bright white matter around the ventricles (Fazekas 1987)."""
    spots: float
    """Threshold of noise for spots in white matter, in deviations."""
    vessel_mm: float
    dura: float
    """Threshold of noise for patches of dura that the brain mask holds."""
    choroid_mm: float
    lacunes: float
    infarct_mm: float
    """Radius of an old infarct, 0 for none."""
    seed: int


def draw_distractors(rng: np.random.Generator, age: float) -> Distractors:
    """Draw distractors for an age from 0, young, to 1, old."""
    return Distractors(
        cap_mm=rng.uniform(0.2, 1.0) + rng.uniform(0, 3.0) * age**2,
        spots=rng.uniform(2.8, 3.8) - 1.2 * age,
        vessel_mm=rng.uniform(0.4, 1.1),
        dura=rng.uniform(0.6, 2.2),
        choroid_mm=rng.uniform(0.8, 1.6),
        lacunes=3.0 if age > 0.5 and rng.random() < 0.3 else 9.0,
        infarct_mm=rng.uniform(5, 14) if rng.random() < 0.05 * 2 * age else 0.0,
        seed=int(rng.integers(2**63)),
    )


def distract(
    distractors: Distractors, points_3n: np.ndarray, healthy: Healthy, voxel_mm: float
) -> dict[Tissue, np.ndarray]:
    """Return shares of tissues at points (3, N) in mm, each of which replaces the earlier ones."""
    rng = np.random.default_rng(distractors.seed)
    depth, ventricle = healthy.depth_n, healthy.ventricle_n
    white = np.clip(1 - healthy.grey_n - healthy.deep_n - healthy.fluid_n, 0, 1)
    wide, fine = (smooth_noise_at(rng, scale, points_3n) for scale in (10.0, 5.0))
    caps = inside(ventricle - distractors.cap_mm - 1.2 * wide, 2.5)
    spots = inside((distractors.spots - fine) * 4, voxel_mm) * (depth > 9)
    holes = inside((distractors.lacunes - fine) * 4, voxel_mm) * (depth > 15)
    shares = {Tissue.SPOT: np.maximum(caps, spots) * white, Tissue.FLUID: holes}
    if distractors.infarct_mm:
        centre = points_3n[:, int(rng.integers(points_3n.shape[1]))][:, None]
        away = np.sqrt(((points_3n - centre) ** 2).sum(axis=0)) - distractors.infarct_mm + 2 * wide
        shares[Tissue.SPOT] = np.maximum(shares[Tissue.SPOT], inside(away - 4, 3))
        shares[Tissue.FLUID] = np.maximum(holes, inside(away, voxel_mm))
    shares[Tissue.CHOROID] = inside(
        np.maximum(ventricle + 1.0, (fine + 2.2 - distractors.choroid_mm) * 4), voxel_mm
    )
    shares[Tissue.VESSEL] = _vessels(distractors, points_3n, healthy, voxel_mm)
    patches = inside((distractors.dura - wide) * 8, voxel_mm)
    shares[Tissue.DURA] = inside(depth - 1.2, voxel_mm) * patches * (depth > -_SKULL_MM[0])
    return shares


def skull(rng: np.random.Generator, points_3n: np.ndarray, healthy: Healthy) -> dict[Tissue, np.ndarray]:
    """Return shares of bone with its marrow, and of the scalp's fat, at points outside the brain."""
    above = -healthy.depth_n + 0.8 * smooth_noise_at(rng, 14, points_3n)
    inner, scalp, skin = _SKULL_MM
    bone = inside(inner - above) * inside(above - scalp)
    marrow = bone * inside(np.abs(above - (inner + scalp) / 2) - 1.2, 1.5) * 0.5
    fat = inside(scalp - above) * inside(above - skin)
    return {Tissue.BONE: bone, Tissue.FAT: np.maximum(fat, marrow)}


def _vessels(
    distractors: Distractors, points_3n: np.ndarray, healthy: Healthy, voxel_mm: float
) -> np.ndarray:
    """Vessels on the surface, thinner in the depth, and the sagittal sinus."""
    radius = distractors.vessel_mm * (1 - 0.6 * np.clip(healthy.depth_n / 25, 0, 1))
    # A tube's share of a voxel is about the product of two slabs'
    share = np.clip(radius / voxel_mm + 0.5 - healthy.vessel_distance_n / voxel_mm, 0, 1)
    share *= np.minimum(2 * radius / voxel_mm, 1)
    x, y, z = points_3n
    sinus = np.hypot(x, healthy.depth_n - 1.0) - 3 * distractors.vessel_mm - 1
    behind = (y < 30) & (z > -15) & (healthy.depth_n > -1)
    return np.maximum(share, inside(sinus, voxel_mm) * behind)
