"""Nested lesions of a synthetic brain: edema around a core, an enhancing rim, cysts and cavities."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

import numpy as np

from segcube.core import Vector
from segcube.phantoms.anatomy import Anatomy
from segcube.phantoms.fields import Slices, Space, ellipsoid, random_rotation


class Tissue(IntEnum):
    """The tissue of a voxel of a lesion; the challenge's YAML defines its label value."""

    HEALTHY = 0
    EDEMA = 1
    CORE = 2
    ENHANCING = 3
    CYST = 4
    CAVITY = 5


def plant_lesions(rng: np.random.Generator, anatomy: Anatomy, kinds: Collection[Tissue]) -> np.ndarray:
    """Tissues (X, Y, Z) of one to three lesions, the first one large; only `kinds` occur."""
    tissue_xyz = np.zeros(anatomy.space.shape, np.uint8)
    for number in range(int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))):
        radius = rng.uniform(16, 25) if number == 0 else rng.uniform(8, 13)
        _plant(rng, anatomy, tissue_xyz, (_place(rng, anatomy), radius), kinds)
    return tissue_xyz


def _place(rng: np.random.Generator, anatomy: Anatomy) -> Vector:
    """A point 12 to 40 mm below the surface, clear of the ventricles and above the hind brain."""
    every = slice(None, None, 4)
    thin = (every, every, every)
    space, depth = anatomy.space[thin], anatomy.depth_xyz[thin]
    good = np.argwhere((depth > 12) & (depth < 40) & (anatomy.ventricle_xyz[thin] > 8) & (space.z > -22))
    i, j, k = good[rng.integers(len(good))]
    return float(space.x[i]), float(space.y[j]), float(space.z[k])


def _plant(
    rng: np.random.Generator,
    anatomy: Anatomy,
    tissue_xyz: np.ndarray,
    lesion: tuple[Vector, float],
    kinds: Collection[Tissue],
) -> None:
    centre, radius = lesion
    reach = rng.uniform(0.35, 0.75) * radius
    half = 1.5 * radius + 2.2 * reach
    box = anatomy.space.box(centre, (half, half, half))
    space = anatomy.space[box]
    core = _core(rng, space, lesion)
    parts = {Tissue.EDEMA: _edema(rng, anatomy, box, core, reach), Tissue.CORE: core < 0}
    if Tissue.ENHANCING in kinds:
        parts[Tissue.ENHANCING] = (core < 0) & (core > -_rim(rng, space, radius))
    if Tissue.CYST in kinds:
        parts[Tissue.CYST] = (core < -0.3 * radius) & (space.noise(rng, 9) > 0)
    if Tissue.CAVITY in kinds:
        parts[Tissue.CAVITY] = _cavity(rng, space, lesion)
    within = anatomy.depth_xyz[box] > 2.5
    view = tissue_xyz[box]
    for tissue, mask in parts.items():
        if tissue in kinds:
            view[mask & within & ((view == Tissue.HEALTHY) | (tissue != Tissue.EDEMA))] = tissue


def _core(rng: np.random.Generator, space: Space, lesion: tuple[Vector, float]) -> np.ndarray:
    """Signed distance in mm to the core, irregular at two scales."""
    centre, radius = lesion
    x, y, z = (float(radius * stretch) for stretch in rng.uniform(0.75, 1.2, 3))
    smooth = ellipsoid(space, centre, (x, y, z), random_rotation(rng, 40))
    return smooth + 0.16 * radius * space.noise(rng, radius / 1.6) + 0.7 * space.noise(rng, 4)


def _edema(
    rng: np.random.Generator, anatomy: Anatomy, box: Slices, core: np.ndarray, reach: float
) -> np.ndarray:
    """Fingers through the deep white matter, blocked by fluid, thinner in grey matter and at the surface."""
    spread = core / reach + 0.45 * anatomy.space[box].noise(rng, 11)
    barred = (anatomy.fluid_xyz[box] > 0.5) & (core > 1)
    slowed = 0.3 * anatomy.grey_xyz[box] + 0.9 * np.clip(1 - anatomy.depth_xyz[box] / 10, 0, 1)
    return (spread + slowed < 1) & ~barred


def _rim(rng: np.random.Generator, space: Space, radius: float) -> np.ndarray:
    """Thickness in mm of the enhancing part: a rim, thin or missing in places, or all of the core."""
    base = rng.uniform(0.2, 0.42) * radius if rng.random() < 0.85 else 2 * radius
    waves = space.noise(rng, 10)
    return base * np.clip(1.15 + 0.4 * waves, 0, 1.8) * (waves > -1.9)


def _cavity(rng: np.random.Generator, space: Space, lesion: tuple[Vector, float]) -> np.ndarray:
    """Mask of a cavity at the core's border."""
    centre, radius = lesion
    offset = rng.normal(0, 1, 3)
    offset *= radius / np.linalg.norm(offset)
    x, y, z = (float(c + o) for c, o in zip(centre, offset, strict=True))
    a, b, c = (float(share * radius) for share in rng.uniform(0.5, 0.8, 3))
    return ellipsoid(space, (x, y, z), (a, b, c)) + 1.5 * space.noise(rng, 8) < 0
