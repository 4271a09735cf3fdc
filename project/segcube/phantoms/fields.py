"""Smooth random fields and simple shapes in millimetres, the building blocks of phantoms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from segcube.core import Shape, Vector

Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Space:
    """A grid along x, y and z: coordinates of its voxels in mm along each axis, ascending or descending."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.x, self.y, self.z

    @property
    def shape(self) -> Shape:
        return len(self.x), len(self.y), len(self.z)

    @property
    def voxel_mm(self) -> Vector:
        x, y, z = (float(abs(axis[1] - axis[0])) for axis in self.axes)
        return x, y, z

    def __getitem__(self, box: Slices) -> Space:
        return Space(*(axis[part] for axis, part in zip(self.axes, box, strict=True)))

    def box(self, centre: Vector, half_mm: Vector) -> Slices:
        """The voxels within `half_mm` of `centre` along each axis."""
        x, y, z = (
            span(np.flatnonzero(np.abs(axis - c) < half))
            for axis, c, half in zip(self.axes, centre, half_mm, strict=True)
        )
        return x, y, z

    def coarse(self, step_mm: float) -> Space:
        """An isotropic grid over the same extent and one step more, each axis ascending."""
        return Space(*(np.arange(a.min() - step_mm, a.max() + 2 * step_mm, step_mm) for a in self.axes))

    def interpolate(self, field_xyz: np.ndarray, coarse: Space) -> np.ndarray:
        """Interpolate a field linearly from a coarse grid to this one."""
        pairs = zip(self.axes, coarse.axes, strict=True)
        return products(field_xyz, [_linear_matrix(fine, other) for fine, other in pairs])

    def noise(self, rng: np.random.Generator, scale_mm: float) -> np.ndarray:
        """Gaussian noise of mean 0 and variance 1, smooth over `scale_mm`.

        White noise on nodes `scale_mm` apart, weighted by gaussians whose squares sum to 1 at every voxel.
        """
        pairs = zip(self.shape, self.voxel_mm, strict=True)
        matrices = [_noise_matrix(size, scale_mm / voxel) for size, voxel in pairs]
        nodes = rng.standard_normal(tuple(matrix.shape[1] for matrix in matrices))
        return products(nodes, matrices)

    def along(self, origin: Vector, direction: Sequence[float] | np.ndarray) -> np.ndarray:
        """Distance from `origin` along `direction`, in units of its length."""
        x, y, z = (
            (axis - start) * part for axis, start, part in zip(self.axes, origin, direction, strict=True)
        )
        return x[:, None, None] + y[None, :, None] + z[None, None, :]


def displaced(
    fields: Iterable[np.ndarray], space: Space, rng: np.random.Generator, noise_mm: tuple[float, float]
) -> Iterator[np.ndarray]:
    """Displace fields together by smooth noise, of a deviation and a scale in mm.

    Signed distances stay such to first order.
    """
    deviation, scale = noise_mm
    places = np.stack(np.meshgrid(*(np.arange(size) for size in space.shape), indexing="ij")).astype(float)
    for axis, voxel in enumerate(space.voxel_mm):
        places[axis] += deviation / voxel * space.noise(rng, scale)
    for field_xyz in fields:
        yield ndimage.map_coordinates(field_xyz, places, order=1, mode="nearest")


def span(indices: np.ndarray) -> slice:
    """The slice from the first to the last of ascending indices."""
    return slice(int(indices[0]), int(indices[-1]) + 1)


def ellipsoid(space: Space, centre: Vector, radii: Vector, axes: np.ndarray | None = None) -> np.ndarray:
    """Signed distance in mm to an ellipsoid, negative inside, exact to first order at its surface.

    axes: (3, 3), a row each, of length 1; None for the grid's.
    The estimate is |p/r| (|p/r| - 1) / |p/r^2|, the usual one of implicit surfaces.
    """
    rows = np.eye(3) if axes is None else axes
    # The offsets make the distance at the very centre minus the smallest radius, not 0 / 0
    square, slope = 1e-12, 1e-12 / min(radii) ** 2
    for row, radius in zip(rows, radii, strict=True):
        along = space.along(centre, row)
        square = square + (along / radius) ** 2
        slope = slope + (along / radius**2) ** 2
    length = np.sqrt(square)
    return length * (length - 1) / np.sqrt(slope)


def tube(space: Space, points: Sequence[Vector], radius: float) -> np.ndarray:
    """Signed distance in mm to a round tube along `points`, negative inside."""
    nearest = np.full(space.shape, np.inf)
    for start, end in pairwise(points):
        axis = np.subtract(end, start)
        share = np.clip(space.along(start, axis) / (axis @ axis), 0, 1)
        offsets = (
            space.along(start, unit) - share * part for unit, part in zip(np.eye(3), axis, strict=True)
        )
        nearest = np.minimum(nearest, sum(offset**2 for offset in offsets))
    return np.sqrt(nearest) - radius


def union(*distances: np.ndarray) -> np.ndarray:
    """Signed distance to several shapes together."""
    return np.minimum.reduce(distances)


def inside(distance: np.ndarray, width: float = 1.0) -> np.ndarray:
    """Occupancy from 0 to 1 of a signed distance, with a border `width` mm wide."""
    return np.clip(0.5 - distance / width, 0, 1)


def paint(signal: np.ndarray, occupancy: np.ndarray, level: float | np.ndarray) -> None:
    """Blend `signal` with `level` in place, weighted by `occupancy`."""
    signal += (level - signal) * occupancy


def rotation(degrees: Sequence[float] | np.ndarray) -> np.ndarray:
    """The rotation (3, 3) about x, then y, then z, from y to z, from x to z and from x to y."""
    turned = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        turn = np.eye(3)
        first, second = (k for k in range(3) if k != axis)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        turned = turn @ turned
    return turned


def random_rotation(rng: np.random.Generator, degrees: float) -> np.ndarray:
    """A rotation (3, 3) about each axis by a normally distributed angle of this deviation."""
    return rotation(rng.normal(0, degrees, 3))


def products(field_xyz: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Multiply by a matrix (fine, coarse) along each axis."""
    for axis, matrix in enumerate(matrices):
        field_xyz = along_axis(matrix, field_xyz, axis)
    return np.ascontiguousarray(field_xyz)


def along_axis(matrix: np.ndarray, field_xyz: np.ndarray, axis: int) -> np.ndarray:
    """Multiply by a matrix (fine, coarse) along one axis."""
    return np.moveaxis(np.tensordot(matrix, field_xyz, axes=(1, axis)), 0, axis)


def _linear_matrix(fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    place = np.interp(fine, coarse, np.arange(len(coarse)))
    low = np.minimum(place.astype(int), len(coarse) - 2)
    matrix = np.zeros((len(fine), len(coarse)))
    rows = np.arange(len(fine))
    matrix[rows, low] = 1 - (place - low)
    matrix[rows, low + 1] = place - low
    return matrix


def _noise_matrix(size: int, scale: float) -> np.ndarray:
    nodes = np.arange(-2, int(np.ceil(size / scale)) + 3) * scale
    weights = np.exp(-0.5 * ((np.arange(size)[:, None] - nodes) / (0.6 * scale)) ** 2)
    return weights / np.sqrt((weights**2).sum(axis=1, keepdims=True))
