"""The healthy anatomy of a synthetic brain: shapes of tissues, no intensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.phantoms.fields import Space, ellipsoid, inside, tube, union

_COARSE_MM = 2.5
_SLOPE = 0.6 * np.sqrt(2)
"""Smooth noise of scale s has a mean slope of 1 / (this * s)."""


@dataclass(frozen=True)
class Anatomy:
    """A brain in its box: x to the right, y to the front, z up, with its centre at 0.

    Occupancies are between 0 and 1.
    """

    space: Space
    depth_xyz: np.ndarray
    """mm below the outer surface; negative outside."""
    ventricle_xyz: np.ndarray
    """Signed distance in mm to the ventricles, negative inside."""
    grey_xyz: np.ndarray
    fluid_xyz: np.ndarray
    choroid_xyz: np.ndarray
    vessel_xyz: np.ndarray


def make_anatomy(rng: np.random.Generator, space: Space) -> Anatomy:
    """Make a skull-stripped brain."""
    coarse = space.coarse(_COARSE_MM)
    scale = rng.uniform(0.93, 1.05, 3)
    body = Space(*(axis / s for axis, s in zip(coarse.axes, scale, strict=True)))
    outer, hind = _outline(rng, body)
    parts = (-outer, hind, _ventricles(rng, body), _nuclei(rng, body))
    depth, hind, ventricle, nuclei = (space.interpolate(part, coarse) for part in parts)
    sulcus = _sulci(rng, space, depth, hind)
    rim = rng.uniform(1.2, 2.2)
    fluid = np.maximum(inside(np.minimum(sulcus - 0.9, depth - rim)), inside(ventricle))
    ribbon = 0.9 + rng.uniform(2.8, 3.6)
    grey = np.maximum(inside(np.minimum(sulcus, depth - 1.5) - ribbon), inside(nuclei, 3.0))
    choroid = inside(ventricle + 1) * inside(1.1 - space.noise(rng, 5.0), 0.3)
    vessel = _vessels(rng, space, depth)
    return Anatomy(space, depth, ventricle, grey, fluid, choroid, vessel)


def _outline(rng: np.random.Generator, body: Space) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the whole brain and to the hind brain (cerebellum and stem)."""
    floor = 0.004 * body.along((0, -10, 0), (0, 1, 0)) ** 2 - body.along((0, 0, -36), (0, 0, 1))
    cerebrum = np.maximum(ellipsoid(body, (0, 0, 6), (66, 84, 60)), floor)
    temporal = union(*(ellipsoid(body, (x, 8, -28), (20, 36, 18)) for x in (-40, 40)))
    hind = union(
        ellipsoid(body, (0, -46, -40), (49, 31, 24)), tube(body, ((0, -14, -18), (0, -24, -70)), 12.0)
    )
    noise = 1.8 * body.noise(rng, 20)
    return union(cerebrum, temporal, hind) + noise, hind + noise


def _ventricles(rng: np.random.Generator, body: Space) -> np.ndarray:
    size = rng.uniform(0.75, 1.5)
    parts = [ellipsoid(body, (0, -4, -2), (2 * size, 12, 9))]
    for side in (-1, 1):
        tilt = np.deg2rad(rng.uniform(8, 18)) * side
        cos, sin = np.cos(tilt), np.sin(tilt)
        turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        parts.append(ellipsoid(body, (side * 12, 4, 12), (5 * size, 30, 8 * size), turn))
        parts.append(ellipsoid(body, (side * 24, -32, 4), (5 * size, 16, 7 * size), turn))
    return union(*parts) + 1.5 * body.noise(rng, 12)


def _nuclei(rng: np.random.Generator, body: Space) -> np.ndarray:
    """Caudate, putamen and thalamus."""
    right = (((17, 14, 6), (5, 12, 8)), ((27, 2, 0), (6, 16, 10)), ((11, -14, 1), (8, 13, 9)))
    parts = [ellipsoid(body, (side * x, y, z), radii) for side in (-1, 1) for (x, y, z), radii in right]
    return union(*parts) + 1.2 * body.noise(rng, 8)


def _sulci(rng: np.random.Generator, space: Space, depth: np.ndarray, hind: np.ndarray) -> np.ndarray:
    """Distance in mm to the nearest sulcus, a zero set of smooth noise, plus a term that grows with depth."""
    wide = np.abs(_sheets(rng, space, 5.0)) + np.maximum(depth - rng.uniform(12, 17), 0)
    fine = np.abs(_sheets(rng, space, 2.4)) + 1.6
    ring = np.hypot(space.along((0, 0, 0), (0, 1 / 84, 0)), space.along((0, 0, 6), (0, 0, 1 / 60)))
    fissure = np.abs(space.along((0, 0, 0), (1, 0, 0))) + 60 * np.maximum(0.52 - ring, 0)
    return np.where(hind < 0, np.minimum(fine, wide + 3), np.minimum(wide, fissure))


def _sheets(rng: np.random.Generator, space: Space, scale_mm: float) -> np.ndarray:
    """Noise divided by its mean slope: near a zero, the distance to it in mm."""
    return space.noise(rng, scale_mm) * np.float32(_SLOPE * scale_mm)


def _vessels(rng: np.random.Generator, space: Space, depth: np.ndarray) -> np.ndarray:
    """Vessels where two sheets cross, patches of dura, and the sagittal sinus."""
    lines = np.hypot(_sheets(rng, space, 8.0), _sheets(rng, space, 8.0))
    vessels = inside(lines - rng.uniform(0.7, 1.5) + np.maximum(depth - 12, 0) * 0.04)
    patches = space.noise(rng, 14) - rng.uniform(0.6, 1.4)
    dura = inside(depth - 1.8) * inside(-patches, 0.4)
    sinus = np.hypot(space.along((0, 0, 0), (1, 0, 0)), np.abs(depth - 3)) - rng.uniform(2.5, 4.5)
    behind = (space.y[:, None] < 20) & (space.z > -20)
    return np.maximum(np.maximum(vessels, dura), inside(sinus) * behind).astype(np.float32)
