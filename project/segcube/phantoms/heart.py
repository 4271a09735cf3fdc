"""The shapes of a synthetic heart: two atria, the ventricles and the great vessels, no intensities."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from segcube.core import Vector
from segcube.phantoms.fields import Space, ellipsoid, random_rotation, tube, union

_COARSE_MM = 2.5


class Chamber(IntEnum):
    """The tissue of a voxel of the atria; the challenge's YAML defines its label value."""

    NONE = 0
    RIGHT_CAVITY = 1
    LEFT_CAVITY = 2
    RIGHT_WALL = 3
    LEFT_WALL = 4


@dataclass(frozen=True)
class Heart:
    """Signed distances in mm, negative inside; x to the left, y to the back, z up."""

    right_xyz: np.ndarray
    left_xyz: np.ndarray
    ventricles_xyz: np.ndarray
    muscle_xyz: np.ndarray
    vessels_xyz: np.ndarray
    gullet_xyz: np.ndarray


@dataclass(frozen=True)
class _Build:
    """What all shapes of one heart share."""

    rng: np.random.Generator
    space: Space
    size: float
    turn: np.ndarray

    def room(self, centre: Vector, radii: Vector, turn: np.ndarray | None = None) -> np.ndarray:
        """An ellipsoid whose radii vary by an eighth."""
        x, y, z = (self.size * radius * self.rng.uniform(0.88, 1.12) for radius in radii)
        return ellipsoid(self.space, self.place(centre), (x, y, z), self.turn if turn is None else turn)

    def place(self, point: Vector) -> Vector:
        return point[0] * self.size, point[1] * self.size, point[2] * self.size


def make_heart(rng: np.random.Generator, space: Space) -> Heart:
    """A heart about 0, drawn coarsely and carried to `space` as distances."""
    coarse = space.coarse(_COARSE_MM)
    build = _Build(rng, coarse, rng.uniform(0.8, 1.1), random_rotation(rng, 5))
    roots = _vein_ways(build)
    left = union(_left_atrium(build), _veins(build, roots, (0, rng.uniform(10, 15))))
    left += 2.2 * coarse.noise(rng, 12) + 0.9 * coarse.noise(rng, 6)
    right = _right_atrium(build) + 2.2 * coarse.noise(rng, 12)
    right = np.maximum(right, 2 * rng.uniform(1.0, 2.2) - left)
    left_room = build.room((41, -20, -20), (24, 28, 24))
    right_room = build.room((2, -46, -20), (34, 20, 26))
    wave = coarse.noise(rng, 12)
    rooms = np.maximum(union(left_room, right_room) + 2.5 * wave, 0.3 - union(left, right))
    muscle = union(left_room - rng.uniform(8, 12), right_room - rng.uniform(3, 5)) + 1.5 * wave
    veins = np.maximum(_veins(build, roots, (12, 60)), 0.5 - left)
    vessels = union(_great_vessels(build) + coarse.noise(rng, 10), veins)
    gullet = tube(coarse, ((8, 40 * build.size, -80), (10, 42 * build.size, 80)), rng.uniform(5, 8))
    return Heart(*(space.interpolate(part, coarse) for part in (right, left, rooms, muscle, vessels, gullet)))


def make_chambers(rng: np.random.Generator, heart: Heart) -> np.ndarray:
    """`Chamber` of each voxel: cavities, and walls of 2 to 3 voxels that are open towards the ventricles."""
    thick = rng.uniform(1.7, 2.3)
    right, left = heart.right_xyz, heart.left_xyz
    solid = (heart.ventricles_xyz > 0) & (heart.muscle_xyz > -6)
    chamber_xyz = np.zeros(left.shape, np.uint8)
    chamber_xyz[(right < thick) & solid] = Chamber.RIGHT_WALL
    chamber_xyz[(left < thick) & (left < right) & solid] = Chamber.LEFT_WALL
    chamber_xyz[right < 0] = Chamber.RIGHT_CAVITY
    chamber_xyz[left < 0] = Chamber.LEFT_CAVITY
    return chamber_xyz


def _left_atrium(build: _Build) -> np.ndarray:
    """Body and appendage."""
    body = build.room((12, 16, 4), (34, 19, 23))
    return union(body, build.room((44, -4, 14), (11, 16, 9), random_rotation(build.rng, 25)))


def _right_atrium(build: _Build) -> np.ndarray:
    """Body and appendage."""
    body = build.room((-38, -10, -8), (21, 26, 27))
    return union(body, build.room((-26, -34, 12), (15, 12, 13), random_rotation(build.rng, 25)))


def _vein_ways(build: _Build) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Root, direction and radius of the four pulmonary veins."""
    ways: list[tuple[np.ndarray, np.ndarray, float]] = []
    for side, up in ((-1, 1), (-1, -1), (1, 1), (1, -1)):
        way = np.array([side, 0.35, 0.35 * up]) + build.rng.normal(0, 0.12, 3)
        root = np.array(build.place((12 + side * 26, 20, 5 + up * 11)))
        ways.append((root, way / np.linalg.norm(way), build.rng.uniform(5.0, 7.5)))
    return ways


def _veins(
    build: _Build, ways: list[tuple[np.ndarray, np.ndarray, float]], span_mm: tuple[float, float]
) -> np.ndarray:
    """The stretch of each vein between two distances from its root."""
    parts: list[np.ndarray] = []
    for root, way, radius in ways:
        (a, b, c), (d, e, f) = (root + way * mm for mm in span_mm)
        parts.append(tube(build.space, ((a, b, c), (d, e, f)), radius))
    return union(*parts)


def _great_vessels(build: _Build) -> np.ndarray:
    """Both venae cavae, the aorta going up and down, and the pulmonary artery with its branches."""
    down = (28 + build.rng.uniform(-8, 8), 55.0)
    paths: tuple[tuple[tuple[Vector, ...], float], ...] = (
        (((-40, 0, 14), (-38, 2, 100)), 9.0),
        (((-38, 4, -30), (-40, 10, -100)), 11.0),
        (((6, -18, -6), (-12, -22, 30), (-14, -20, 100)), 14.5),
        (((*down, -100), (*down, 100)), 11.5),
        (((20, -52, 0), (26, -30, 36), (22, -4, 48)), 12.5),
        (((22, -4, 48), (-50, 6, 46)), 9.0),
        (((22, -4, 48), (62, 18, 50)), 9.0),
    )
    return union(
        *(
            tube(build.space, [build.place(point) for point in path], radius * build.rng.uniform(0.88, 1.12))
            for path, radius in paths
        )
    )
