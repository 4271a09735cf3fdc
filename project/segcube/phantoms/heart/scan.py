"""A three-dimensional scan of the heart: slab, coil, breathing and noise at the resolution of the scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from segcube.phantoms.fields import Space
from segcube.phantoms.physics import Range
from segcube.phantoms.scanner import sensitivity

_BRIGHTEST = 32000
_RESOLUTION_MM: Range = (1.0, 1.6)
"""Scans are 1.25 to 1.5 mm in the plane, and interpolated to half of it (Xiong 2020)."""
_NOISE: Range = (0.04, 0.24)
_GHOST: Range = (0.0, 0.12)


@dataclass(frozen=True)
class HeartScan:
    """The parameters of a scan; brightness is relative to blood."""

    blur_mm: float
    bias: float
    bias_mm: float
    noise: float
    ghost: float
    """Of the chest wall, displaced by breathing, along y."""
    ghost_mm: float
    slab: float
    """Share of the slab's height, at either end, where the signal fades."""
    scale: float
    seed: int


def draw_heart_scan(rng: np.random.Generator) -> HeartScan:
    """Draw the parameters of a scan."""
    return HeartScan(
        blur_mm=rng.uniform(*_RESOLUTION_MM) / 2.355,
        bias=rng.uniform(0.05, 0.25),
        bias_mm=rng.uniform(80, 150),
        noise=float(np.exp(rng.uniform(*np.log(_NOISE)))),
        ghost=rng.uniform(*_GHOST),
        ghost_mm=rng.uniform(8, 40),
        slab=rng.uniform(0.02, 0.2),
        scale=float(np.exp(rng.uniform(*np.log((120, 900))))),
        seed=int(rng.integers(2**63)),
    )


def acquire_heart(signal_xyz: np.ndarray, space: Space, scan: HeartScan) -> np.ndarray:
    """Return the int16 image (X, Y, Z) of a signal relative to blood."""
    rng = np.random.default_rng(scan.seed)
    signal = signal_xyz * sensitivity(rng, space, scan.bias, scan.bias_mm)
    signal *= _slab(signal.shape[2], scan.slab)
    signal += scan.ghost * np.roll(signal, round(scan.ghost_mm / space.voxel_mm[1]), axis=1)
    signal = _in_plane(signal, space, scan.blur_mm)
    # The two parts of a complex image, as smooth as the image itself
    gain = scan.noise * _noise_gain(space, scan.blur_mm)
    real, imaginary = (_in_plane(rng.standard_normal(signal.shape), space, scan.blur_mm) for _ in range(2))
    image = np.hypot(signal + gain * real, gain * imaginary)
    return np.clip(np.rint(image * scan.scale), 0, _BRIGHTEST).astype(np.int16)


def _noise_gain(space: Space, deviation_mm: float) -> float:
    """What white noise is multiplied by, so that smooth noise has the deviation 1, or less in larger voxels.

    A gaussian of deviation s, in voxels, divides the deviation of white noise by sqrt(2 s sqrt(pi)) an axis.
    """
    gain = 1.0
    for voxel in space.voxel_mm[:2]:
        gain *= np.sqrt(max(2 * np.sqrt(np.pi) * deviation_mm / voxel, 1.0))
        gain *= np.sqrt(min(2.355 * deviation_mm / voxel, 1.0))
    return float(gain)


def _slab(size: int, share: float) -> np.ndarray:
    """Profile of the excited slab, 1 in its middle and down to 0.4 at its ends."""
    edge = (1 + np.minimum(np.arange(size), np.arange(size)[::-1])) / max(share * size, 1e-6)
    return 1 - 0.6 * np.clip(1 - edge, 0, 1) ** 2


def _in_plane(signal_xyz: np.ndarray, space: Space, deviation_mm: float) -> np.ndarray:
    deviations = [*(deviation_mm / voxel for voxel in space.voxel_mm[:2]), 0]
    return ndimage.gaussian_filter(signal_xyz, deviations, mode="nearest", truncate=3.0)
