"""Growth of a tumour by diffusion and proliferation: when each place is reached."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from segcube.phantoms.fields import Slices, span

_DIFFUSION = 0.15
"""In white matter, in voxels squared a step; up to 1/6 is stable."""
_STEPS = 160
_BORDER = 0.1
"""Density at which a place counts as reached."""
_REACH = 1.7
"""Growth ends when the tumour is this much larger than its volume."""
_MARGIN_VOXELS = 6


def reach_radius(speed_xyz: np.ndarray, seeds: np.ndarray, rate: float, volume: float) -> np.ndarray:
    """Return for each voxel the radius, in voxels, of a ball as large as what is reached before it.

    speed_xyz: diffusion relative to white matter, 0 where nothing grows. seeds: voxels (S, 3). rate:
    proliferation a step. volume: of the whole lesion in voxels. Level sets of the result are the tumour at
    successive times, nested, and `(3 volume / 4 pi) ** (1/3)` is the one of a volume. Without any seed every
    voxel is infinitely far.

    The density u follows Fisher and Kolmogorov: u' = div(D grad u) + rate u (1 - u); its sum over time
    orders the voxels (Swanson 2000; D white : D grey is 5 to 20 : 1).
    """
    radius_xyz = np.full(speed_xyz.shape, np.inf)
    if not len(seeds):
        return radius_xyz
    box = _box(speed_xyz.shape, seeds, volume)
    local = seeds - np.array([part.start for part in box])
    density = _grow(speed_xyz[box], local, rate, volume)
    order = np.argsort(-density, axis=None, kind="stable")
    before = np.empty(order.size)
    before[order] = np.cumsum(speed_xyz[box].ravel()[order] > 0)
    radius = np.cbrt(3 * before / (4 * np.pi)).reshape(density.shape)
    # Fluid continues its neighbours, so that borders there stay smooth
    barred = density <= 0
    away, nearest = np.zeros(density.shape), np.zeros((3, *density.shape), np.int32)
    ndimage.distance_transform_edt(barred, return_indices=True, distances=away, indices=nearest)
    radius = radius[tuple(nearest)] + away
    radius_xyz[box] = ndimage.gaussian_filter(radius, 0.7, mode="nearest")
    radius_xyz[~np.isfinite(radius_xyz)] = radius.max() + _MARGIN_VOXELS
    return radius_xyz


def _box(shape: tuple[int, ...], seeds: np.ndarray, volume: float) -> Slices:
    """The voxels that the tumour may reach."""
    reach = int(1.8 * np.cbrt(volume)) + _MARGIN_VOXELS
    low = np.maximum(seeds.min(axis=0) - reach, 0)
    high = np.minimum(seeds.max(axis=0) + reach, np.array(shape) - 1)
    x, y, z = (span(np.array([first, last])) for first, last in zip(low, high, strict=True))
    return x, y, z


def _grow(speed_xyz: np.ndarray, seeds: np.ndarray, rate: float, volume: float) -> np.ndarray:
    """The density summed over time."""
    density = np.zeros(speed_xyz.shape)
    density[tuple(seeds.T)] = 1.0
    total = density.copy()
    shares: list[np.ndarray] = []
    for axis in range(3):
        low, high = speed_xyz.take(range(speed_xyz.shape[axis] - 1), axis), np.delete(speed_xyz, 0, axis)
        # The harmonic mean: no flow into what has no diffusion
        shares.append(2 * _DIFFUSION * low * high / np.maximum(low + high, 1e-12))
    grows = speed_xyz > 0
    for _ in range(_STEPS):
        change = rate * density * (1 - density)
        for axis, share in enumerate(shares):
            flow = share * np.diff(density, axis=axis)
            change += _divergence(flow, axis)
        density += change
        total += density
        if np.count_nonzero(density > _BORDER) > _REACH * volume:
            break
    return total * grows


def _divergence(flow: np.ndarray, axis: int) -> np.ndarray:
    """What flows into each voxel, of the flow between neighbours along an axis."""
    edge = [(0, 0)] * 3
    edge[axis] = (1, 1)
    return np.diff(np.pad(flow, edge), axis=axis)
