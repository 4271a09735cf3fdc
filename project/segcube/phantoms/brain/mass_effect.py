"""Displacement of the brain by a growing core."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from segcube.phantoms.brain.anatomy import Healthy
from segcube.phantoms.brain.extent import Extent
from segcube.phantoms.brain.plans import Plan

_DECAY_MM = 28.0
"""Distance over which the displacement falls to a third, about the half of a hemisphere's width."""


def displace(places_3xyz: np.ndarray, extent: Extent, plan: Plan, healthy: Healthy) -> np.ndarray:
    """Return the places (3, X, Y, Z) in the average brain of a coarse space after the push of the cores.

    The brain moves away from each core, most at its border and by `plan.push` of its radius, less with the
    distance, and not at all at the skull. A negative push draws it nearer. The space's voxels are cubes.
    """
    shift = np.zeros_like(places_3xyz)
    skull = np.clip(healthy.depth_n.reshape(extent.space.shape) / 12, 0, 1)
    for centre, radius in _pushing(extent):
        offset = np.stack(
            np.meshgrid(*(a - c for a, c in zip(extent.space.axes, centre, strict=True)), indexing="ij")
        )
        length = np.sqrt((offset**2).sum(axis=0)) + 1e-9
        size = plan.push * radius * np.exp(-np.maximum(length - radius, 0) / _DECAY_MM)
        shift += offset / length * size * np.minimum(length / radius, 1) * skull
    from_where = np.indices(extent.space.shape) - shift / extent.space.voxel_mm[0]
    return np.stack(
        [ndimage.map_coordinates(part, from_where, order=1, mode="nearest") for part in places_3xyz]
    )


def _pushing(extent: Extent) -> list[tuple[np.ndarray, float]]:
    """Centre and radius of the cores that are large enough to push."""
    cores = [(focus.centre, focus.radius_mm) for focus in extent.foci if focus.radius_mm > 4]
    inside = np.argwhere(extent.core_xyz < 0)
    if len(inside):
        middle = inside.mean(axis=0)
        origin = np.array([axis[0] for axis in extent.space.axes])
        step_mm = extent.space.voxel_mm[0]
        volume = len(inside) * step_mm**3
        cores.append((origin + middle * step_mm, float(np.cbrt(3 * volume / (4 * np.pi)))))
    return cores
