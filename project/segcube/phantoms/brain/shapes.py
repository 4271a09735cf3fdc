"""The shapes of a brain of average size: signed distances in mm, negative inside, on a grid about its middle.

Sizes are those of an adult, 135 to 145 mm wide, 165 to 180 mm long (Allen 2002); cases are scaled to 1.2 to
1.9 litres with the fluid around the brain. x is to the right, y to the front, z up. Paired shapes are drawn
on the right and mirrored.
"""

from __future__ import annotations

import numpy as np

from segcube.core import Vector
from segcube.phantoms.fields import Space, ellipsoid, tube, union

SPACE = Space(np.arange(-80.0, 81, 2.5), np.arange(-100.0, 101, 2.5), np.arange(-80.0, 81, 2.5))
"""The grid of all shapes."""
FAR_MM = 12.0
"""Distances to small shapes inside the brain are exact up to this one."""
_RIGHT = 32
"""The first voxel along x of the right half, at x = 0."""
_DEEP = (slice(_RIGHT, 52), slice(8, 66), slice(14, 52))
"""The box of the right half that holds ventricles and nuclei."""
_FLATNESS = 1.5
_EXPONENT = 2.15
"""Of the superellipsoid of the cerebrum: flatter at its sides than an ellipsoid."""


def parenchyma() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances to the cerebrum with its temporal lobes, to the cerebellum, and to the brain stem."""
    half = SPACE[(slice(_RIGHT, None), slice(None), slice(None))]
    bowl = half.along((0, -5, 0), (0, 1, 0)) ** 2 + half.along((0, 0, 0), (1, 0, 0)) ** 2
    floor = 0.0033 * bowl - half.along((0, 0, -35), (0, 0, 1))
    cerebrum = np.maximum(_superellipsoid(half, (0, 0, 8), (67, 85, 58)), 0.8 * floor)
    temporal = ellipsoid(half, (41, 6, -25), (20, 37, 19))
    cerebellum = union(
        ellipsoid(half, (23, -52, -41), (28, 30, 21)), ellipsoid(half, (0, -54, -36), (15, 24, 20))
    )
    stem = union(
        tube(half, ((0, -14, -8), (0, -20, -30)), 13.5), tube(half, ((0, -20, -32), (0, -28, -64)), 8.5)
    )
    upper = smooth_union(cerebrum, temporal, 8)
    return _mirror(upper), _mirror(cerebellum), _mirror(stem)


def ventricles(size: float) -> np.ndarray:
    """Distance to the four ventricles; size: factor of their radii, 1 for a healthy adult of 40 years."""
    deep = SPACE[_DEEP]
    # Narrow from side to side: round in coordinates that are stretched along x
    space = Space(deep.x * _FLATNESS, deep.y, deep.z)
    horns: tuple[tuple[Vector, Vector, float], ...] = (
        ((9, 32, 2), (6, 14, 10), 5.5),
        ((6, 14, 10), (9, -12, 17), 5.5),
        ((9, -12, 17), (22, -36, 9), 6.5),
        ((22, -36, 9), (21, -62, 3), 3.5),
        ((22, -36, 9), (32, -22, -12), 3.2),
        ((32, -22, -12), (29, -2, -19), 2.2),
    )
    lateral = [
        tube(space, [(_FLATNESS * x, y, z) for x, y, z in (start, end)], radius * size) / _FLATNESS
        for start, end, radius in horns
    ]
    third = ellipsoid(deep, (0, -6, -2), (1.6 * size, 13, 9))
    fourth = ellipsoid(deep, (0, -39, -34), (5 * size, 4, 9))
    return _whole(union(*lateral, third, fourth))


def nuclei() -> np.ndarray:
    """Distance to caudate, lentiform nucleus and thalamus."""
    space = SPACE[_DEEP]
    parts: tuple[tuple[Vector, Vector], ...] = (
        ((15, 16, 6), (5, 11, 8)),
        ((18, -6, 18), (3, 14, 4)),
        ((26, 2, -1), (6, 15, 9)),
        ((11, -16, 3), (9, 13, 8)),
    )
    return _whole(union(*(ellipsoid(space, centre, radii) for centre, radii in parts)))


def smooth_union(first: np.ndarray, second: np.ndarray, reach_mm: float) -> np.ndarray:
    """Signed distance to two shapes and what fills the notch between them, up to `reach_mm` (Quilez)."""
    share = np.maximum(reach_mm - np.abs(first - second), 0) / reach_mm
    return np.minimum(first, second) - share**2 * reach_mm / 4


def _superellipsoid(space: Space, centre: Vector, radii: Vector) -> np.ndarray:
    """Distance along the ray from the centre, which is exact on the axes."""
    parts = [
        np.abs(space.along(centre, unit)) / radius for unit, radius in zip(np.eye(3), radii, strict=True)
    ]
    length = sum(part**_EXPONENT for part in parts) ** (1 / _EXPONENT)
    ray = np.sqrt(sum((part * radius) ** 2 for part, radius in zip(parts, radii, strict=True)))
    return (length - 1) * np.maximum(ray, 1.0) / np.maximum(length, 1e-6)


def _mirror(right: np.ndarray) -> np.ndarray:
    return np.concatenate([right[:0:-1], right])


def _whole(deep: np.ndarray) -> np.ndarray:
    """Put distances of the deep box into the whole grid, on both sides."""
    right = np.full((len(SPACE.x) - _RIGHT, *SPACE.shape[1:]), FAR_MM)
    right[(slice(0, deep.shape[0]), *_DEEP[1:])] = np.minimum(deep, FAR_MM)
    return _mirror(right)
