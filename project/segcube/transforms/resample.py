"""Resample images exactly, as three small matrix products, between the grids of a branch and of a case."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import array_api_compat
import numpy as np

from segcube.core import (
    MAX_VOXELS,
    Array,
    CaseError,
    Code,
    Shape,
    Vector,
    array_namespace,
    as_array_like,
    as_float,
)
from segcube.spec.submission import Spline

NEGLIGIBLE = 1e-9
"""Smaller weights are dropped, which float32 cannot resolve: a spline's matrix becomes a narrow band."""


@lru_cache(maxsize=32)
def axis_matrix(size_in: int, size_out: int, order: int) -> np.ndarray:
    """The weights that resample one axis: (size_out, size_in) float64, read-only.

    order: 0 nearest, 1 linear, 3 cubic spline. Each column is scipy's response to a unit vector, with the
    settings that scikit-image's resize(mode="edge", anti_aliasing=False) uses.
    """
    # scipy.ndimage takes half of the time of a run's imports: only where it is needed
    from scipy import ndimage

    factor = size_out / size_in
    matrix = np.empty((size_out, size_in))
    for column, unit in enumerate(np.eye(size_in)):
        matrix[:, column] = ndimage.zoom(unit, factor, order=order, mode="nearest", grid_mode=True)
    matrix[np.abs(matrix) < NEGLIGIBLE] = 0.0
    matrix.flags.writeable = False
    return matrix


@dataclass(frozen=True)
class Resampler:
    """A resampling from one shape to another, along the last three axes.

    With a `coarse_axis`, slices across it are resampled at `order`, and between slices at `coarse_order`:
    nnU-Net's "separate z". Cubic results are clipped to the range of their input, the channel or, with a
    coarse axis, the slice, as scikit-image does. Call it outside of autocast: products are
    computed in the array's own precision, at least float32.
    """

    shape_in: Shape
    shape_out: Shape
    order: int
    coarse_axis: int | None = None
    coarse_order: int = 0

    def apply(self, array_kxyz: Array) -> Array:
        """Resample each channel: (K, *shape_in) to (K, *shape_out).

        Returns float32 for halves and integers, unless all resampling is of order 0, which keeps the type.
        Equal shapes give a view.
        """
        return self.slab(array_kxyz, 0, 0, self.shape_out[0])

    def slab(self, array_kxyz: Array, axis: int, start: int, stop: int) -> Array:
        """Rows `start:stop` along one spatial axis of what `apply` returns; only these are computed."""
        rows = [slice(0, size) for size in self.shape_out]
        rows[axis] = slice(start, stop)
        if self.shape_in == self.shape_out:
            return array_kxyz[(slice(None), *rows)]
        xp = array_namespace(array_kxyz)
        kept = self._keeps_type or array_kxyz.dtype == xp.float64
        result_kxyz = xp.empty(
            (array_kxyz.shape[0], *(row.stop - row.start for row in rows)),
            dtype=array_kxyz.dtype if kept else xp.float32,
            device=array_api_compat.device(array_kxyz),
        )
        if start < stop:
            for index in range(array_kxyz.shape[0]):
                result_kxyz[index] = self._resample(array_kxyz[index], rows)
        return result_kxyz

    def dependency(self, mask_xyz: Array) -> Array:
        """The input voxels that any masked output voxel takes weight from: (*shape_out) to (*shape_in) bool.

        Exact at orders 0 and 1; at order 3 it leaves out weights below NEGLIGIBLE.
        """
        xp = array_namespace(mask_xyz)
        for axis in range(3):
            touched = (self._matrix(axis) != 0).T.astype(np.float32)
            reached = _product(as_array_like(touched, mask_xyz), xp.astype(mask_xyz, xp.float32), axis)
            mask_xyz = reached > 0
        return mask_xyz

    @property
    def _keeps_type(self) -> bool:
        changed = [axis for axis in range(3) if self.shape_in[axis] != self.shape_out[axis]]
        return all(self._order_along(axis) == 0 for axis in changed)

    def _order_along(self, axis: int) -> int:
        return self.coarse_order if axis == self.coarse_axis else self.order

    def _matrix(self, axis: int) -> np.ndarray:
        return axis_matrix(self.shape_in[axis], self.shape_out[axis], self._order_along(axis))

    def _resample(self, channel_xyz: Array, rows: list[slice]) -> Array:
        xp = array_namespace(channel_xyz)
        fine = [axis for axis in range(3) if axis != self.coarse_axis]
        # The axis that shrinks most goes first, so that the products after it are smaller
        fine.sort(key=lambda axis: (rows[axis].stop - rows[axis].start) / self.shape_in[axis])
        resampled_xyz = channel_xyz
        for axis in fine:
            resampled_xyz = self._along(resampled_xyz, axis, rows[axis])
        if self.order > 1 and any(self.shape_in[axis] != self.shape_out[axis] for axis in fine):
            low, high = (of(channel_xyz, axis=tuple(fine), keepdims=True) for of in (xp.min, xp.max))
            resampled_xyz = xp.clip(resampled_xyz, as_float(low), as_float(high))
        if self.coarse_axis is None:
            return resampled_xyz
        return self._along(resampled_xyz, self.coarse_axis, rows[self.coarse_axis])

    def _along(self, channel_xyz: Array, axis: int, row: slice) -> Array:
        xp = array_namespace(channel_xyz)
        here = tuple(row if other == axis else slice(None) for other in range(3))
        if self.shape_in[axis] == self.shape_out[axis]:
            return channel_xyz[here]
        matrix = self._matrix(axis)[row]
        if self._order_along(axis) == 0:
            return xp.take(channel_xyz, as_array_like(matrix.argmax(axis=1), channel_xyz), axis=axis)
        used = np.flatnonzero(matrix.any(axis=0))
        columns = slice(int(used[0]), int(used[-1]) + 1)
        needed = tuple(columns if other == axis else slice(None) for other in range(3))
        channel_xyz = as_float(channel_xyz[needed])
        precision = np.float64 if channel_xyz.dtype == xp.float64 else np.float32
        return _product(as_array_like(matrix[:, columns].astype(precision), channel_xyz), channel_xyz, axis)


def _product(matrix: Array, array_xyz: Array, axis: int) -> Array:
    """Multiply along one axis in a single large product: many small ones are slow when threads compete."""
    xp = array_namespace(array_xyz)
    if axis == 1:
        product_yxz = _product(matrix, xp.permute_dims(array_xyz, (1, 0, 2)), 0)
        return xp.permute_dims(product_yxz, (1, 0, 2))
    x, y, z = array_xyz.shape
    if axis == 0:
        return xp.reshape(xp.matmul(matrix, xp.reshape(array_xyz, (x, y * z))), (-1, y, z))
    return xp.reshape(xp.matmul(xp.reshape(array_xyz, (x * y, z)), matrix.T), (x, y, -1))


ANISOTROPIC = 3.0
"""nnU-Net resamples the coarse axis separately where a voxel's longest edge exceeds this many shortest."""


@dataclass(frozen=True)
class Lattice:
    """Voxels along each axis and their edge lengths in mm, in the array's own axis order."""

    shape: Shape
    spacing: Vector

    def at(self, spacing: Vector) -> Lattice:
        """The lattice of other edge lengths over the same extent, each size rounded as nnU-Net does.

        Halves round to even (compute_new_shape); no axis shrinks below one voxel. Raises CaseError for more
        voxels than a file may have (TOO_LARGE).
        """
        x, y, z = (
            max(round(old / new * size), 1)
            for old, new, size in zip(self.spacing, spacing, self.shape, strict=True)
        )
        if x * y * z > MAX_VOXELS:
            raise CaseError(
                Code.TOO_LARGE,
                f"{x} x {y} x {z} voxels at the network's spacing",
                expected=f"at most {MAX_VOXELS}",
                hint="check the spacing in its header",
            )
        return Lattice((x, y, z), spacing)


def plan_resampling(source: Lattice, target: Lattice, spline: Spline) -> Resampler:
    """Plan the resampling from one lattice to another.

    spline.separate_z: whether the coarse axis is resampled separately at `order_z`. auto: where the source's
    spacing, or else the target's, is anisotropic; always: the source's coarse axis. Two or three equally
    coarse axes are never separated (nnU-Net's determine_do_sep_z_and_axis).
    """
    coarse_axis = None
    if spline.separate_z == "always":
        coarse_axis = _coarse_axis(source.spacing)
    elif spline.separate_z == "auto":
        spacing = next((s for s in (source.spacing, target.spacing) if max(s) / min(s) > ANISOTROPIC), None)
        coarse_axis = _coarse_axis(spacing) if spacing else None
    return Resampler(source.shape, target.shape, spline.order, coarse_axis, spline.order_z)


def _coarse_axis(spacing: Vector) -> int | None:
    coarsest = [axis for axis, length in enumerate(spacing) if length == max(spacing)]
    return coarsest[0] if len(coarsest) == 1 else None
