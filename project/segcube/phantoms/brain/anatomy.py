"""The healthy anatomy of one person: shares of tissues at any points, no intensities."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage

from segcube.core import Vector
from segcube.phantoms.brain import shapes
from segcube.phantoms.fields import Space, inside, rotation

_SMOOTH_SLOPE = 0.6 * np.sqrt(2)
"""Smooth noise of scale s has a mean slope of 1 / (this * s)."""
_MIDDLE_MM = (0.0, -8.0, 6.0)
"""Sulci run towards this point."""
_CORTEX_MM = 55.0
"""Distance from there at which the pattern of sulci is drawn."""
_INSULA_MM = 33.0


@dataclass(frozen=True)
class Person:
    """What is individual about a brain, drawn by `draw_person`."""

    age: float
    """From 0, young, to 1, old."""
    scale: Vector
    turn_deg: Vector
    bend_mm: Vector
    """Deviation of the displacement at 60 mm, at 28 mm, and of the difference between the sides."""
    ventricles: float
    """Factor of the ventricles' radii."""
    rim_mm: float
    """Fluid between the cortex and the brain's mask."""
    sulcus_mm: float
    """Half the width of a sulcus."""
    sulcus_depth_mm: float
    fold_mm: float
    """Scale of the folds of the cortex."""
    cortex_mm: float
    seed: int
    """Of the patterns of folds and vessels."""


@dataclass(frozen=True)
class Anatomy:
    """Fields on the grid of `shapes`, from which shares of tissues at any point follow."""

    person: Person
    hull_xyz: np.ndarray
    """Signed distance to the brain with the fluid around it, negative inside."""
    brain_xyz: np.ndarray
    """Signed distance to the parenchyma, sulci filled."""
    hind_xyz: np.ndarray
    """Signed distance to cerebellum and brain stem."""
    stem_xyz: np.ndarray
    ventricle_xyz: np.ndarray
    nuclei_xyz: np.ndarray
    folds_xyz: np.ndarray
    folia_xyz: np.ndarray
    """Signed distances to the sheets of sulci, of the cerebrum and of the cerebellum."""
    depth_wave_xyz: np.ndarray
    """Noise of deviation 1 by which sulci are deeper or flatter."""
    vessel_xyz: np.ndarray
    """Distance to the axes of vessels."""

    def at(self, places_3n: np.ndarray, voxel_mm: float, squeeze_n: np.ndarray | float = 0.0) -> Healthy:
        """Return the anatomy at places (3, N) of the average brain.

        voxel_mm: width over which shares are averaged. squeeze_n: mm by which pressure narrows sulci.
        """
        person = self.person
        hull, brain, hind, stem, ventricle, nuclei, folia, vessel = (
            sample(field, shapes.SPACE, places_3n)
            for field in (
                self.hull_xyz,
                self.brain_xyz,
                self.hind_xyz,
                self.stem_xyz,
                self.ventricle_xyz,
                self.nuclei_xyz,
                self.folia_xyz,
                self.vessel_xyz,
            )
        )
        in_hind = hind < 2.0
        sulcus = np.where(
            in_hind, np.abs(folia) + 1.2 + 0.5 * np.maximum(-hind - 9, 0), _sulci(self, places_3n, -hull)
        )
        half = np.where(in_hind, 0.6, person.sulcus_mm) - squeeze_n
        outside = inside(-brain, voxel_mm)
        gap = slab(sulcus, half, voxel_mm)
        fluid = np.maximum(np.maximum(outside, gap), inside(ventricle, voxel_mm))
        pial = np.minimum(sulcus - np.maximum(half, 0), -brain)
        ribbon = inside(pial - np.where(in_hind, 1.6 * person.cortex_mm, person.cortex_mm), voxel_mm)
        ribbon *= 1 - inside(stem + 1.0, 2.0)
        deep = np.maximum(inside(nuclei, max(voxel_mm, 1.5)), 0.5 * inside(stem, 2.0))
        grey = ribbon * (1 - fluid)
        deep *= (1 - fluid) * (1 - ribbon)
        return Healthy(-hull, ventricle, inside(-hind, 4.0), grey, deep, fluid, vessel)


@dataclass(frozen=True)
class Healthy:
    """Anatomy at N points: distances in mm and shares of a voxel from 0 to 1, which sum to at most 1."""

    depth_n: np.ndarray
    """mm below the hull, negative outside."""
    ventricle_n: np.ndarray
    cerebrum_n: np.ndarray
    """1 above the hind brain, 0 in it."""
    grey_n: np.ndarray
    deep_n: np.ndarray
    """Grey matter of nuclei and brain stem, a mixture of cells and fibres."""
    fluid_n: np.ndarray
    vessel_distance_n: np.ndarray

    def at(self, index: np.ndarray) -> Healthy:
        """Return the anatomy at some of the points."""
        return Healthy(*(getattr(self, field.name)[index] for field in fields(self)))


def draw_person(rng: np.random.Generator, age_span: tuple[float, float] = (0.0, 1.0)) -> Person:
    """Draw what is individual. age_span: part of the range from the young, 0, to the old, 1.

    Scale and rotation are those between people after registration to an atlas; ventricles and sulci grow
    with age (Scahill 2003: ventricles from 15 to 50 ml between 20 and 80 years).
    """
    age = rng.uniform(*age_span)
    whole = rng.uniform(0.94, 1.03)
    x, y, z = (float(whole * part) for part in rng.uniform(0.97, 1.03, 3))
    turns = rng.normal(0, (2.5, 2.5, 2.5))
    return Person(
        age=age,
        scale=(x, y, z),
        turn_deg=(float(turns[0]), float(turns[1]), float(turns[2])),
        bend_mm=(rng.uniform(1.5, 3.5), rng.uniform(0.6, 1.6), rng.uniform(0.5, 1.5)),
        ventricles=rng.uniform(0.6, 1.1) + 0.6 * age,
        rim_mm=rng.uniform(0.0, 0.8) + 1.0 * age,
        sulcus_mm=rng.uniform(0.05, 0.3) + 0.45 * age,
        sulcus_depth_mm=rng.uniform(11, 17),
        fold_mm=rng.uniform(4.4, 5.6),
        cortex_mm=rng.uniform(2.4, 3.2),
        seed=int(rng.integers(2**63)),
    )


def build_anatomy(person: Person) -> Anatomy:
    """Build the fields of a person's brain."""
    rng = np.random.default_rng(person.seed)
    space = shapes.SPACE
    cerebrum, cerebellum, stem = shapes.parenchyma()
    wave = 0.9 * space.noise(rng, 22) + 0.5 * space.noise(rng, 11)
    hind = np.minimum(cerebellum, stem) + 0.5 * wave
    # A gap of 1 to 2 mm of fluid is left between cerebrum and cerebellum: the tentorium
    brain = np.minimum(cerebrum + wave, hind)
    hull = shapes.smooth_union(cerebrum + wave, shapes.smooth_union(cerebellum, stem, 8), 12)
    folds, folia = (sheets(rng, space, scale) for scale in (person.fold_mm, 4.0))
    vessels = np.hypot(sheets(rng, space, 8.0), sheets(rng, space, 8.0))
    return Anatomy(
        person=person,
        hull_xyz=hull - person.rim_mm,
        brain_xyz=brain,
        hind_xyz=hind,
        stem_xyz=stem,
        ventricle_xyz=shapes.ventricles(person.ventricles) + 0.5 * space.noise(rng, 12),
        nuclei_xyz=shapes.nuclei() + 0.8 * space.noise(rng, 7),
        folds_xyz=folds,
        folia_xyz=folia,
        depth_wave_xyz=space.noise(rng, 14),
        vessel_xyz=vessels,
    )


def sheets(rng: np.random.Generator, space: Space, scale_mm: float) -> np.ndarray:
    """Signed distance in mm to the zero set of smooth noise, near it."""
    noise = space.noise(rng, scale_mm)
    slopes = np.gradient(noise, *space.voxel_mm)
    slope = np.sqrt(sum(part**2 for part in slopes))
    return noise / np.maximum(slope, 0.4 / (_SMOOTH_SLOPE * scale_mm))


def locate(person: Person, space: Space) -> np.ndarray:
    """Return for each voxel of a coarse space its place (3, X, Y, Z) in mm in the average brain."""
    rng = np.random.default_rng((person.seed, 1))
    wide, narrow, odd = person.bend_mm
    turn = rotation(person.turn_deg)
    place = np.stack([space.along((0, 0, 0), turn[:, k] / person.scale[k]) for k in range(3)])
    for k in range(3):
        place[k] += wide * space.noise(rng, 60) + narrow * space.noise(rng, 28)
    # A difference between the sides: the middle moves to one of them
    place[0] += odd * space.noise(rng, 45)
    return place


def sample(field_xyz: np.ndarray, space: Space, places_3n: np.ndarray) -> np.ndarray:
    """Interpolate a field of an ascending isotropic space linearly at places (3, N) in mm."""
    origin = np.array([axis[0] for axis in space.axes])[:, None]
    indices = (places_3n - origin) / space.voxel_mm[0]
    return ndimage.map_coordinates(field_xyz, indices, order=1, mode="nearest")


def slab(distance: np.ndarray, half_mm: np.ndarray | float, voxel_mm: float) -> np.ndarray:
    """Share of a voxel within `half_mm` of a sheet at a distance, at least 0."""
    near = np.clip(0.5 + (half_mm - distance) / voxel_mm, 0, 1)
    return np.maximum(near + np.clip(0.5 + (half_mm + distance) / voxel_mm, 0, 1) - 1, 0)


def _sulci(anatomy: Anatomy, places_3n: np.ndarray, depth_n: np.ndarray) -> np.ndarray:
    """Distance to the nearest sulcus: folds, the fissure between the hemispheres, and the sylvian fissure."""
    x, y, z = places_3n
    middle = np.array(_MIDDLE_MM)[:, None]
    ray = places_3n - middle
    length = np.sqrt((ray**2).sum(axis=0)) + 1e-9
    # Folds keep their pattern along rays, so that sulci run down into the brain
    seen = middle + ray * (0.45 + 0.55 * _CORTEX_MM / length)
    deep = anatomy.person.sulcus_depth_mm * np.exp(
        0.35 * sample(anatomy.depth_wave_xyz, shapes.SPACE, places_3n)
    )
    folds = np.abs(sample(anatomy.folds_xyz, shapes.SPACE, seen)) + np.maximum(depth_n - deep, 0)
    ring = np.hypot(y / 84, (z - 6) / 60)
    between = np.abs(x) + 50 * np.maximum(0.55 - ring, 0)
    plane = np.abs(z + 4 - 0.25 * y)
    sylvian = np.maximum(np.maximum(plane, _INSULA_MM - np.abs(x)), np.abs(y - 2) - 24)
    return np.minimum(np.minimum(folds, between), np.maximum(sylvian, 0))
