"""What a scanner does to an image: position, slices, coil, noise and scale of a channel.

A channel's parameters are drawn by `draw_scan` and applied by `acquire`, which is a pure function of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from segcube.core import Vector
from segcube.phantoms.fields import Space, along_axis, rotation
from segcube.phantoms.physics import Range

_BIAS_STEP_MM = 12.0
_BRIGHTEST = 32000


@dataclass(frozen=True)
class ScannerRanges:
    """Ranges from which the parameters of a channel's scan are drawn."""

    shift_mm: float = 1.2
    """Highest shift between the channels along each axis; a patient moves by about 1 mm between scans."""
    turn_deg: float = 1.2
    """Highest rotation between the channels about each axis."""
    blur_mm: Range = (0.3, 0.7)
    """Deviation of the point spread; an acquisition voxel of 1 mm and one interpolation make about 0.6."""
    thick_chance: float = 0.5
    thick_mm: Range = (3.0, 6.0)
    """Distance of thick slices, as usual for two-dimensional clinical sequences."""
    axes: tuple[int, ...] = (0, 1, 2, 2, 2, 2)
    """The axes across which slices are thick, each as often as it is drawn."""
    bias: Range = (0.02, 0.15)
    bias_mm: Range = (60.0, 110.0)
    """Deviation of the logarithm of the coil's sensitivity, and its smoothness."""
    noise: Range = (0.01, 0.06)
    """Deviation of the noise in a voxel of 1 mm3, relative to the brightness `level` of a usual tissue."""
    gamma: float = 0.1
    """Deviation of the logarithm of the exponent of the brightness."""
    ghost_chance: float = 0.1
    ghost: Range = (0.02, 0.06)
    clip_chance: float = 0.3
    clip_percentile: Range = (99.5, 100.0)
    scale: Range = (250.0, 2500.0)
    """Value of the tissue of brightness `level` in the file, log-uniform."""


@dataclass(frozen=True)
class Scan:
    """The parameters of a channel's scan, as `ScannerRanges` describes them."""

    shift_mm: Vector
    turn_deg: Vector
    blur_mm: float
    axis: int
    thick_mm: float
    """0 for a scan with isotropic voxels."""
    bias: float
    bias_mm: float
    noise: float
    gamma: float
    ghost: float
    clip_percentile: float
    scale: float
    seed: int
    """Of the noise and the coil's sensitivity."""


def draw_scan(rng: np.random.Generator, ranges: ScannerRanges, is_reference: bool = False) -> Scan:
    """Draw the parameters of a channel's scan; the reference channel stays where it is."""
    reach = 0.0 if is_reference else 1.0
    shift = rng.uniform(-1, 1, 3) * ranges.shift_mm * reach
    turn = rng.uniform(-1, 1, 3) * ranges.turn_deg * reach
    is_thick, has_ghost, is_clipped = rng.random(3) < (
        ranges.thick_chance,
        ranges.ghost_chance,
        ranges.clip_chance,
    )
    return Scan(
        shift_mm=(float(shift[0]), float(shift[1]), float(shift[2])),
        turn_deg=(float(turn[0]), float(turn[1]), float(turn[2])),
        blur_mm=rng.uniform(*ranges.blur_mm),
        axis=ranges.axes[int(rng.integers(len(ranges.axes)))],
        thick_mm=rng.uniform(*ranges.thick_mm) * float(is_thick),
        bias=rng.uniform(*ranges.bias),
        bias_mm=rng.uniform(*ranges.bias_mm),
        noise=rng.uniform(*ranges.noise),
        gamma=float(np.exp(rng.normal(0, ranges.gamma))),
        ghost=rng.uniform(*ranges.ghost) * float(has_ghost),
        clip_percentile=rng.uniform(*ranges.clip_percentile) if is_clipped else 100.0,
        scale=float(np.exp(rng.uniform(*np.log(ranges.scale)))),
        seed=int(rng.integers(2**63)),
    )


def acquire(signal_xyz: np.ndarray, space: Space, scan: Scan, level: float) -> np.ndarray:
    """Return the int16 image (X, Y, Z) of a signal (X, Y, Z) float64, at least 0.

    level: brightness of a usual tissue, to which noise, exponent and scale are relative.
    """
    rng = np.random.default_rng(scan.seed)
    signal = move(signal_xyz / level, space, scan.shift_mm, scan.turn_deg)
    signal *= sensitivity(rng, space, scan.bias, scan.bias_mm)
    if scan.ghost:
        signal += scan.ghost * np.roll(signal, signal.shape[1] // 2, axis=1)
    signal = _blur(_measure(rng, signal, space, scan), space, scan.blur_mm) ** scan.gamma
    if scan.clip_percentile < 100:
        bright = signal[signal > 0.2]
        signal = np.minimum(signal, np.percentile(bright, scan.clip_percentile) if bright.size else 1.0)
    return np.clip(np.rint(signal * scan.scale), 0, _BRIGHTEST).astype(np.int16)


def move(signal_xyz: np.ndarray, space: Space, shift_mm: Vector, turn_deg: Vector) -> np.ndarray:
    """Shift an image and turn it about its middle, by linear interpolation; returns a new array."""
    if not any((*shift_mm, *turn_deg)):
        return signal_xyz.copy()
    step = np.array([axis[1] - axis[0] for axis in space.axes])
    turn = rotation(turn_deg)
    matrix = turn * step / step[:, None]
    middle = (np.array(space.shape) - 1) / 2
    offset = middle - matrix @ middle + np.array(shift_mm) / step
    return ndimage.affine_transform(signal_xyz, np.c_[matrix, offset], order=1, mode="nearest")


def sensitivity(rng: np.random.Generator, space: Space, deviation: float, scale_mm: float) -> np.ndarray:
    """A coil's sensitivity (X, Y, Z): exponential of smooth noise."""
    coarse = space.coarse(_BIAS_STEP_MM)
    return np.exp(space.interpolate(deviation * coarse.noise(rng, scale_mm), coarse))


def slice_matrices(places: np.ndarray, thick_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrices from voxels to thick slices (S, N), and from these back to voxels (N, S).

    places: positions of the N voxels in mm. A slice averages with a gaussian profile whose full width at
    half maximum is its distance to the next; between slices the image is interpolated linearly.
    """
    middles = np.arange(places.min(), places.max() + thick_mm, thick_mm)
    profile = np.exp(-0.5 * ((places - middles[:, None]) / (thick_mm / 2.355)) ** 2)
    back = np.maximum(1 - np.abs(places[:, None] - middles) / thick_mm, 0)
    return profile / profile.sum(axis=1, keepdims=True), back


def _measure(rng: np.random.Generator, signal: np.ndarray, space: Space, scan: Scan) -> np.ndarray:
    """Sample in slices, add Rician noise there, and interpolate back to the grid."""
    axis, is_thick = scan.axis, scan.thick_mm > space.voxel_mm[scan.axis]
    down, back = slice_matrices(space.axes[axis], scan.thick_mm or space.voxel_mm[axis])
    if is_thick:
        signal = along_axis(down, signal, axis)
    # The noise of larger voxels averages out
    noise = scan.noise / math.sqrt(math.prod(space.voxel_mm))
    real = signal + noise * rng.standard_normal(signal.shape)
    measured = np.hypot(real, noise * rng.standard_normal(signal.shape))
    return along_axis(back, measured, axis) if is_thick else measured


def _blur(signal_xyz: np.ndarray, space: Space, deviation_mm: float) -> np.ndarray:
    deviations = [deviation_mm / voxel for voxel in space.voxel_mm]
    return ndimage.gaussian_filter(signal_xyz, deviations, mode="nearest", truncate=3.0)
