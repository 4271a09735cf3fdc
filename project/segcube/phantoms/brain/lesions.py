"""Composition of the lesions: shares of edema, core, enhancing tumour, cyst, blood and cavity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from segcube.phantoms.brain.anatomy import Healthy
from segcube.phantoms.brain.extent import smooth_noise_at
from segcube.phantoms.brain.plans import Plan
from segcube.phantoms.brain.tissues import Tissue
from segcube.phantoms.fields import inside

Shares = dict[Tissue, np.ndarray]

_SLOPE = 0.85
"""Smooth noise of scale s changes by 1 over about this times s."""
_LEAST_CORE_MM = 4.0
"""Smaller cores have no cavity, cyst or blood."""


@dataclass(frozen=True)
class Place:
    """N points near the lesions: position in mm, anatomy, and signed distances in mm as of `distances_at`."""

    points_3n: np.ndarray
    healthy: Healthy
    whole_n: np.ndarray
    core_n: np.ndarray
    core_mm: float
    """Equivalent radius of the largest core."""
    voxel_mm: float


def compose(rng: np.random.Generator, plan: Plan, place: Place) -> Shares:
    """Return the share of each lesion's tissue at the points; they sum to at most 1.

    The parts of the core take its space in the order cavity, cyst, enhancing, blood; the rest is core. Edema
    surrounds it, and spares fluid.
    """
    head = inside(-place.healthy.depth_n, place.voxel_mm)
    core = inside(place.core_n, place.voxel_mm) * head
    free = core.copy()
    shares: Shares = {}
    for tissue, part in _parts(rng, plan, place).items():
        shares[tissue] = np.clip(part, 0, 1) * free
        free = free - shares[tissue]
    shares[Tissue.CORE] = free
    border = inside(_edema(plan, place), max(plan.fade_mm, place.voxel_mm))
    shares[Tissue.EDEMA] = border * (1 - core) * (1 - place.healthy.fluid_n) * head
    return shares


def label_tissues(plan: Plan, place: Place, shares: Shares) -> np.ndarray:
    """Return the tissue (N,) uint8 that fills most of a voxel, 0 where that is none of a lesion's."""
    parts = [tissue for tissue in shares if tissue is not Tissue.EDEMA]
    content = np.stack([shares[tissue] for tissue in parts])
    is_core = content.sum(axis=0) > 0.5
    healthy = place.healthy
    is_edema = (_edema(plan, place) < 0) & (healthy.fluid_n < 0.5) & (healthy.depth_n > 0)
    label = np.where(is_edema, np.uint8(Tissue.EDEMA), np.uint8(0))
    return np.where(is_core, np.array(parts, np.uint8)[content.argmax(axis=0)], label)


def _edema(plan: Plan, place: Place) -> np.ndarray:
    """Signed distance to edema, which reaches less far in cortex."""
    return place.whole_n + plan.spare_grey_mm * place.healthy.grey_n


def _parts(rng: np.random.Generator, plan: Plan, place: Place) -> Shares:
    """Shares of the parts within the core, before they compete for space."""
    parts: Shares = {}
    is_large = place.core_mm > _LEAST_CORE_MM
    border = place.core_n
    if plan.cavity_share and is_large:
        inner = place.core_n + place.core_mm * (1 - np.cbrt(plan.cavity_share))
        cavity = inner + 0.8 * smooth_noise_at(rng, 9, place.points_3n)
        parts[Tissue.CAVITY] = inside(cavity, place.voxel_mm)
        # The tumour's remains line the cavity
        border = np.maximum(-cavity, -plan.enhancement.rim_mm)
    if plan.cyst_share and is_large:
        scale = max(0.7 * place.core_mm, 5.0)
        hollow = np.maximum(_blobs(rng, place, plan.cyst_share, scale), place.core_n + 1.5)
        parts[Tissue.CYST] = inside(hollow, place.voxel_mm)
    if plan.enhancement.pattern != "none":
        parts[Tissue.ENHANCING] = _enhancing(rng, plan, place, border)
    if plan.blood_share and is_large:
        parts[Tissue.BLOOD] = inside(_blobs(rng, place, plan.blood_share, 7.0), place.voxel_mm)
    return parts


def _enhancing(rng: np.random.Generator, plan: Plan, place: Place, border: np.ndarray) -> np.ndarray:
    """Share of enhancing tumour: a shell inside of `border`, broken and of varying width, or blobs.

    A focus is the blobs about one point of the core, as where a low grade turns malignant.
    """
    enhancement = plan.enhancement
    if enhancement.pattern != "rim":
        scale = float(np.clip(0.45 * place.core_mm, 3.0, 9.0))
        blobs = inside(_blobs(rng, place, enhancement.share, scale), place.voxel_mm)
        return blobs * _focus(rng, place) if enhancement.pattern == "focus" else blobs
    width = enhancement.rim_mm * np.exp(0.4 * smooth_noise_at(rng, 8, place.points_3n))
    shell = inside(border, place.voxel_mm) - inside(border + width, place.voxel_mm)
    kept = inside(_blobs(rng, place, enhancement.share, 12.0), place.voxel_mm)
    # Broken in large lesions only
    return shell * (kept if place.core_mm > 2 * enhancement.rim_mm else 1.0)


def _focus(rng: np.random.Generator, place: Place) -> np.ndarray:
    """Share of the surroundings of a point of the core, where there is one."""
    radius_mm, chosen = rng.uniform(5, 13), rng.random()
    core = np.flatnonzero(place.core_n < -1)
    if not len(core):
        return np.zeros(len(place.core_n))
    centre = place.points_3n[:, core[int(chosen * len(core))]][:, None]
    return inside(np.sqrt(((place.points_3n - centre) ** 2).sum(axis=0)) - radius_mm, place.voxel_mm)


def _blobs(rng: np.random.Generator, place: Place, share: float, scale_mm: float) -> np.ndarray:
    """Signed distance to random blobs that fill a share of space."""
    noise = smooth_noise_at(rng, scale_mm, place.points_3n) * 0.9
    noise += 0.44 * smooth_noise_at(rng, scale_mm / 2.5, place.points_3n)
    return (noise - float(ndtri(share))) * _SLOPE * scale_mm / 1.4
