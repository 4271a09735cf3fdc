"""Where windows lie, and the importance of each of their voxels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from itertools import product
from math import ceil
from typing import Literal, TypeAlias

import numpy as np

from segcube.core import Shape
from segcube.spec.submission import Branch, Window
from segcube.transforms import PreparedImage, StageInput

MONAI_FLOOR = 1e-3
NNUNET_PEAK = 10
"""The weight of a window's middle."""
REACH = 4
"""Standard deviations to which scipy's gaussian reaches."""

Slices: TypeAlias = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """The windows of one grid; those of a grid smaller than the window reach over its borders into zeros."""

    shape: Shape
    """Of the grid."""
    size: Shape
    """Of a window."""
    starts: tuple[Shape, ...]
    """The windows' corners in the grid, negative where a window begins before it."""
    importance_xyz: np.ndarray
    """The weight of each voxel of a window, float32 (*size)."""

    def in_grid(self, start: Shape) -> Slices:
        """The part of the grid that the window at a corner covers."""
        x, y, z = (
            slice(max(s, 0), min(s + size, n))
            for s, size, n in zip(start, self.size, self.shape, strict=True)
        )
        return x, y, z

    def in_window(self, start: Shape) -> Slices:
        """The part of the window at a corner that lies in the grid."""
        x, y, z = (slice(g.start - s, g.stop - s) for s, g in zip(start, self.in_grid(start), strict=True))
        return x, y, z

    def mirrored(self, axes: tuple[int, ...]) -> WindowPlan:
        """The plan of the grid mirrored along `axes`, in the coordinates of the unmirrored grid."""
        if not axes:
            return self
        starts = [
            tuple(
                n - size - s if axis in axes else s
                for axis, (s, size, n) in enumerate(zip(start, self.size, self.shape, strict=True))
            )
            for start in self.starts
        ]
        return replace(self, starts=tuple(starts))  # type: ignore[arg-type]

    def meeting(self, mask_xyz: np.ndarray) -> WindowPlan:
        """The plan with only those windows that hold a voxel of a mask of the grid."""
        return replace(self, starts=tuple(s for s in self.starts if mask_xyz[self.in_grid(s)].any()))


def plan_windows(shape: Shape, window: Window) -> WindowPlan:
    """Plan the windows of a grid; a grid smaller than the window lies in its middle, among zeros.

    shape, window.size: in the same axis order.
    """
    starts_of = nnunet_starts if window.plan == "nnunet" else monai_starts
    axes = [
        [start - max(size - n, 0) // 2 for start in starts_of(max(n, size), size, window.overlap)]
        for n, size in zip(shape, window.size, strict=True)
    ]
    x, y, z = axes
    return WindowPlan(shape, window.size, tuple(product(x, y, z)), importance_map(window))


def plan_branch_windows(branch: Branch, prepared: PreparedImage, stage_input: StageInput) -> WindowPlan:
    """The windows of a branch's grid; only those that meet the gates, where there are any."""
    plan = plan_windows(prepared.image_cxyz.shape[1:], branch.window)
    if stage_input.gate_xyz is not None:
        plan = plan.meeting(prepared.touched(stage_input.gate_xyz))
    if prepared.gate_xyz is not None:
        plan = plan.meeting(prepared.gate_xyz)
    return plan


def nnunet_starts(length: int, size: int, overlap: float) -> list[int]:
    """Evenly spread corners along an axis (nnU-Net's compute_steps_for_sliding_window).

    Windows of one slice do not overlap (nnU-Net's 2d configurations).
    """
    if size == 1:
        return list(range(length))
    span = length - size
    steps = ceil(span / (size * (1 - overlap))) + 1
    if steps == 1:
        return [0]
    return [round(span / (steps - 1) * step) for step in range(steps)]


def monai_starts(length: int, size: int, overlap: float) -> list[int]:
    """Corners at a fixed interval, the last one moved back to the border (MONAI's dense_patch_slices)."""
    interval = size if length == size else max(int(size * (1 - overlap)), 1)
    steps = ceil((length - size) / interval) + 1
    return [min(step * interval, length - size) for step in range(steps)]


def importance_map(window: Window) -> np.ndarray:
    """The importance of each voxel of a window, float32 (*size): ones, or a gaussian (sigma: size / 8).

    Cached and shared: not to be written to. nnU-Net blurs a unit impulse, scales it to NNUNET_PEAK and rounds
    to half precision, which matters in the corners of windows; zeros there become the smallest other weight.
    MONAI evaluates the formula with a floor.
    """
    return _weights(window.size, window.plan if window.blend == "gaussian" else None)


@lru_cache(maxsize=8)
def _weights(size: Shape, gaussian: Literal["nnunet", "monai"] | None) -> np.ndarray:
    if gaussian is None:
        return np.ones(size, dtype=np.float32)
    profile_of = _monai_gaussian if gaussian == "monai" else _nnunet_gaussian
    # A profile is symmetric, so a corner of the window holds all its values
    corners, places = zip(*(np.unique(profile_of(n), return_inverse=True) for n in size), strict=True)
    corner_xyz = reduce(np.multiply.outer, corners)
    if gaussian == "monai":
        corner_xyz = np.maximum(corner_xyz, max(float(corner_xyz.min()), MONAI_FLOOR))
    else:
        corner_xyz /= corner_xyz.max() / NNUNET_PEAK
        # torch rounds a double to a half by way of a float
        corner_xyz = corner_xyz.astype(np.float32).astype(np.float16).astype(np.float32)
        corner_xyz = np.maximum(corner_xyz, corner_xyz[corner_xyz > 0].min())
    x, y, z = places
    return corner_xyz.take(x, axis=0).take(y, axis=1).take(z, axis=2)


def _monai_gaussian(size: int) -> np.ndarray:
    offsets = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    return np.exp(offsets**2 / np.float32(-2 * (size * 0.125) ** 2))


def _nnunet_gaussian(size: int) -> np.ndarray:
    """What scipy's gaussian_filter1d makes of an impulse in the middle, to the last digit."""
    sigma = size / 8
    reach = int(REACH * sigma + 0.5)
    kernel = np.exp(-0.5 / sigma**2 * np.arange(-reach, reach + 1) ** 2)
    offsets = np.arange(size) - size // 2
    return np.where(
        np.abs(offsets) <= reach, (kernel / kernel.sum())[np.clip(offsets, -reach, reach) + reach], 0
    )
