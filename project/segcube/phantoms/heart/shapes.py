"""The shapes of a heart: two atria, the ventricles and the great vessels, no intensities.

Left atria reach from the small ones of healthy adults (Maceira 2010, J Cardiovasc Magn Reson 12:65) to the
enlarged ones of persistent fibrillation, half of which exceed 78 ml/m2 (BMC Cardiovasc Disord 2024,
24:502). Other sizes are the usual ones of anatomy books, varied by 15 to 20 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.core import Vector
from segcube.phantoms.fields import Space, displaced, ellipsoid, random_rotation, tube, union

COARSE_MM = 2.5
BEND_SCALE_MM = 45.0
_BODY_MM = np.array([36.0, 25.0, 31.0])
"""Half axes of the left atrium's body."""
_MOUTHS = ((-1, 1), (-1, -1), (1, 1), (1, -1))
"""Side and height of the four pulmonary veins: the right ones first, the upper ones before the lower."""


@dataclass(frozen=True)
class Vein:
    """A pulmonary vein: its course from the middle of the atrium's side."""

    direction: Vector
    radius: float
    labelled_mm: float
    """Length of the stretch that counts as atrium."""


@dataclass(frozen=True)
class Shape:
    """The parameters of a heart."""

    size: float
    stretch: Vector
    """Of the left atrium along its own axes."""
    right: float
    """Size of the right atrium relative to the heart's."""
    turn: np.ndarray
    """Rotation (3, 3) of the heart in the chest."""
    veins: tuple[Vein, ...]
    appendage: Vector
    """Length, radius, and how far it points to the front, from 0 to 1."""
    septum_mm: float
    groove_mm: float
    """Fat and valves between atria and ventricles."""
    muscle_mm: Vector
    """Thickness of the left and the right ventricle, and of the aorta's wall."""
    vessels: float
    """Width of the great vessels relative to the usual."""
    back_mm: float
    """From the left atrium to the spine and the aorta."""
    roughness: float
    seed: int
    """Of the irregularities of all surfaces."""
    bend_mm: float = 0.0
    """Displacement of all surfaces, smooth over `BEND_SCALE_MM`."""

    def place(self, point: Vector) -> Vector:
        """A point of the usual heart in this one, without the left atrium's own stretch."""
        x, y, z = (float(value) for value in self.turn @ (self.size * np.array(point)))
        return x, y, z

    def path(self, points: tuple[Vector, ...]) -> list[Vector]:
        """Several points of the usual heart in this one."""
        return [self.place(point) for point in points]

    @property
    def body_mm(self) -> Vector:
        """Half axes of the left atrium's body."""
        x, y, z = (float(value) for value in self.size * _BODY_MM * np.array(self.stretch))
        return x, y, z


@dataclass(frozen=True)
class Heart:
    """Signed distances in mm, negative inside.

    The left atrium is about 0, with x to the left, y to the back and z up.
    """

    right_xyz: np.ndarray
    left_xyz: np.ndarray
    ventricles_xyz: np.ndarray
    muscle_xyz: np.ndarray
    arteries_xyz: np.ndarray
    veins_xyz: np.ndarray
    oesophagus_xyz: np.ndarray


def draw_shape(rng: np.random.Generator) -> Shape:
    """Draw the parameters of a heart."""
    veins: list[Vein] = []
    for side, height in _MOUTHS:
        x, y, z = np.array([side, 0.25 - 0.45 * height, 0.35 * height]) + rng.normal(0, 0.18, 3)
        veins.append(Vein((float(x), float(y), float(z)), rng.uniform(5.0, 9.0), rng.uniform(4, 20)))
    x, y, z = (float(value) for value in np.exp(rng.normal(0, 0.12, 3)))
    return Shape(
        size=rng.uniform(0.64, 1.2),
        stretch=(x, y, z),
        right=rng.uniform(0.8, 1.15),
        turn=random_rotation(rng, 7),
        veins=tuple(veins),
        appendage=(rng.uniform(16, 38), rng.uniform(6, 11), rng.uniform(0.2, 1)),
        septum_mm=rng.uniform(1.2, 4),
        groove_mm=rng.uniform(0.6, 3),
        muscle_mm=(rng.uniform(7, 13), rng.uniform(2.5, 5), rng.uniform(1, 2.2)),
        vessels=rng.uniform(0.85, 1.2),
        back_mm=rng.uniform(4, 12),
        roughness=rng.uniform(0.6, 1.4),
        seed=int(rng.integers(2**63)),
    )


def build_heart(shape: Shape, space: Space) -> Heart:
    """A heart about 0, drawn coarsely and carried to `space` as distances."""
    rng = np.random.default_rng(shape.seed)
    coarse = space.coarse(COARSE_MM)
    waves = shape.roughness * (1.6 * coarse.noise(rng, 13) + 0.7 * coarse.noise(rng, 6))
    left = _left_atrium(shape, coarse) + waves
    right = _right_atrium(shape, coarse) + 0.8 * waves + coarse.noise(rng, 12)
    right = np.maximum(right, shape.septum_mm - left)
    left_ventricle = _placed_ellipsoid(shape, coarse, (46, -30, -36), (30, 34, 38))
    right_ventricle = _placed_ellipsoid(shape, coarse, (2, -48, -38), (42, 28, 40))
    left_mm, right_mm, _ = shape.muscle_mm
    bumps, atria = coarse.noise(rng, 9), union(left, right)
    ventricles = union(left_ventricle + bumps, right_ventricle + 1.5 * bumps)
    ventricles = np.maximum(ventricles, shape.groove_mm - atria)
    muscle = union(left_ventricle - left_mm, right_ventricle - right_mm) + bumps
    arteries = np.maximum(_arteries(shape, coarse) + 0.5 * coarse.noise(rng, 10), 1.5 - atria)
    arteries = np.maximum(arteries, 1.5 - ventricles)
    veins = np.maximum(_veins(shape, coarse) + 0.7 * waves, 0.3 - atria)
    oesophagus = _oesophagus(shape, coarse) + 0.8 * bumps
    parts = (right, left, ventricles, muscle, arteries, veins, oesophagus)
    if shape.bend_mm:
        parts = tuple(displaced(parts, coarse, rng, (shape.bend_mm, BEND_SCALE_MM)))
    return Heart(*(space.interpolate(part, coarse) for part in parts))


def _blend(first: np.ndarray, second: np.ndarray, width: float) -> np.ndarray:
    """Signed distance to two shapes together, their edge rounded over `width` mm."""
    share = np.clip(0.5 + 0.5 * (second - first) / width, 0, 1)
    return second + (first - second) * share - width * share * (1 - share)


def _placed_ellipsoid(shape: Shape, space: Space, centre: Vector, radii: Vector) -> np.ndarray:
    """An ellipsoid of the usual heart, turned with it."""
    x, y, z = (shape.size * radius for radius in radii)
    return ellipsoid(space, shape.place(centre), (x, y, z), shape.turn.T)


def _left_atrium(shape: Shape, space: Space) -> np.ndarray:
    """Body with a flat back, mouths of the veins, and the appendage."""
    x, y, z = shape.body_mm
    body = ellipsoid(space, (0, 0, 0), (x, y, z), shape.turn.T)
    back = space.along((0, 0, 0), shape.turn[:, 1]) - 0.82 * y
    atrium = np.maximum(body, back)
    for root, direction, vein in _courses(shape):
        end = tuple(float(value) for value in root + (0.35 * x + vein.labelled_mm) * direction)
        atrium = _blend(atrium, tube(space, [_point(root), _point(np.array(end))], vein.radius), 6.0)
    length, radius, front = shape.appendage
    start = shape.turn @ np.array([0.75 * x, -0.45 * y, 0.35 * z])
    middle = start + shape.turn @ np.array([0.5 * length, -0.2 * length, 0.2 * length])
    end = middle + shape.turn @ np.array([0.2 * length, -front * length, -0.15 * length])
    appendage = tube(space, [_point(start), _point(middle), _point(end)], radius)
    return _blend(atrium, appendage, 3.0)


def _courses(shape: Shape) -> list[tuple[np.ndarray, np.ndarray, Vein]]:
    """Root within the atrium, unit direction, and vein."""
    x, y, z = shape.body_mm
    courses: list[tuple[np.ndarray, np.ndarray, Vein]] = []
    for (side, height), vein in zip(_MOUTHS, shape.veins, strict=True):
        direction = shape.turn @ np.array(vein.direction)
        root = shape.turn @ np.array([0.6 * side * x, 0.25 * y, 0.42 * height * z])
        courses.append((root, direction / np.linalg.norm(direction), vein))
    return courses


def _point(values: np.ndarray) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _right_atrium(shape: Shape, space: Space) -> np.ndarray:
    """Body, appendage, and the ends of both caval veins."""
    scale = shape.right
    body = _placed_ellipsoid(shape, space, (-50, -14, -16), (25 * scale, 31 * scale, 34 * scale))
    appendage = _placed_ellipsoid(shape, space, (-38, -40, 12), (14 * scale, 13 * scale, 13 * scale))
    upper = tube(space, shape.path(((-46, -8, 0), (-45, -6, 24))), 9.0 * shape.vessels)
    lower = tube(space, shape.path(((-50, -4, -20), (-48, 2, -46))), 11.0 * shape.vessels)
    return _blend(_blend(_blend(body, appendage, 6.0), upper, 5.0), lower, 5.0)


def _veins(shape: Shape, space: Space) -> np.ndarray:
    """The stretches of all large veins that are not labelled."""
    tubes = [
        tube(space, shape.path(((-45, -6, 22), (-42, -4, 110))), 8.5 * shape.vessels),
        tube(space, shape.path(((-48, 2, -44), (-46, 8, -120))), 10.5 * shape.vessels),
    ]
    for root, direction, vein in _courses(shape):
        end = root + 50 * shape.size * direction
        bends = (np.array([0, 0.5, 0.6]), np.array([0, -0.4, -0.7]))
        forks = [end + 25 * (direction + bend) for bend in bends]
        tubes.append(tube(space, [_point(root), _point(end)], 0.85 * vein.radius))
        tubes += [
            tube(space, [_point(root + 35 * shape.size * direction), _point(fork)], 0.6 * vein.radius)
            for fork in forks
        ]
    return union(*tubes)


def _arteries(shape: Shape, space: Space) -> np.ndarray:
    """The aorta going up and down, and the pulmonary artery with its branches over the left atrium."""
    roof = shape.body_mm[2] / shape.size + 12
    x, y, _ = descending_aorta(shape)
    paths: tuple[tuple[list[Vector], float], ...] = (
        (shape.path(((8, -34, -10), (-14, -38, 28), (-18, -34, 110))), 15.5),
        (shape.path(((22, -60, -8), (30, -48, 24), (24, -22, roof))), 13.5),
        (shape.path(((24, -22, roof), (-6, -12, roof + 2), (-62, 2, roof - 4))), 10.5),
        (shape.path(((24, -22, roof), (48, 8, roof + 8), (64, 22, roof + 2))), 10.0),
        ([(x, y, -140), (x, y, 140)], 11.5),
    )
    return union(*(tube(space, points, radius * shape.vessels) for points, radius in paths))


def descending_aorta(shape: Shape) -> Vector:
    """Its middle: behind the left atrium, to the left of the spine."""
    behind = 0.8 * shape.body_mm[1] + shape.back_mm + 11.5 * shape.vessels
    return 24.0 * shape.size, behind, 0.0


def _oesophagus(shape: Shape, space: Space) -> np.ndarray:
    """The oesophagus, flat between the left atrium and the spine."""
    behind = 0.8 * shape.body_mm[1] + 0.5 * shape.back_mm + 3
    return ellipsoid(space, (4.0 * shape.size, behind, 0), (9, 5, 900))
