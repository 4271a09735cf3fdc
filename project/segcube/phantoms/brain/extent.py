"""Where a case's lesions are: signed distances to the whole lesion and to its core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.phantoms.brain.anatomy import Healthy, sample
from segcube.phantoms.brain.growth import reach_radius
from segcube.phantoms.brain.plans import Nodules, Plan, Site
from segcube.phantoms.fields import Space

_STEP_MM = 4.0
_FLUID_BARS = 0.6
_SOLID = 0.35
"""Lesions begin where there is less fluid. Folds of the cerebellum have a share of 0.3 at 4 mm, give or take
rounding, which must not decide where lesions are."""
_FAR_MM = 60.0
_TEMPORAL_HEIGHT = 0.38
"""Share of the cerebrum's height that the temporal lobes reach up to."""


@dataclass(frozen=True)
class Focus:
    """A round lesion: its centre in mm, its radius, and that of its edema."""

    centre: np.ndarray
    radius_mm: float
    edema_mm: float


@dataclass(frozen=True)
class Extent:
    """Lesions on a coarse space: equivalent radii in mm, less those of the lesion's and the core's border."""

    space: Space
    whole_xyz: np.ndarray
    core_xyz: np.ndarray
    wave_xyz: np.ndarray
    """Noise of deviation 1 that makes borders irregular."""
    foci: tuple[Focus, ...]
    core_mm: float
    """Equivalent radius of the largest core."""


def place_lesions(rng: np.random.Generator, plan: Plan, space: Space, healthy: Healthy) -> Extent:
    """Grow a plan's tumour and place its nodules. healthy: anatomy at all voxels of `space`, 4 mm a side."""
    wave = space.noise(rng, plan.edge_scale_mm)
    shape = space.shape
    whole, core = np.full(shape, _FAR_MM), np.full(shape, _FAR_MM)
    core_mm = 0.0
    seeds = np.zeros((0, 3), int)
    if plan.volume_ml:
        seeds = _seeds(rng, plan, space, healthy)
        volume = plan.volume_ml * 1000 / _STEP_MM**3
        rough = np.exp(0.7 * space.noise(rng, 10))
        speed = np.minimum(_speed(plan, healthy).reshape(shape) * rough, 1.1)
        radius = _STEP_MM * reach_radius(speed, seeds, plan.rate, volume)
        whole_mm = np.cbrt(3000 * plan.volume_ml / (4 * np.pi))
        core_mm = float(whole_mm * np.cbrt(plan.core_share))
        whole = radius - whole_mm + plan.edge_mm * wave
        core = (
            radius - core_mm + 0.6 * plan.edge_mm * wave + 0.2 * core_mm * space.noise(rng, 0.7 * core_mm + 6)
        )
        core = np.maximum(core, whole + 1.0)
    foci = [focus for nodules in plan.nodules for focus in _foci(rng, nodules, space, (healthy, whole))]
    largest = max([core_mm, *(focus.radius_mm for focus in foci)])
    return Extent(space, whole, core, wave, tuple(foci), largest)


def distances_at(extent: Extent, plan: Plan, points_3n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances (N,) in mm to the whole lesion and to its core at points (3, N)."""
    whole = sample(extent.whole_xyz, extent.space, points_3n)
    core = sample(extent.core_xyz, extent.space, points_3n)
    for focus in extent.foci:
        near = np.flatnonzero(
            (np.abs(points_3n - focus.centre[:, None]) < 2 * focus.edema_mm + 8).all(axis=0)
        )
        offset = points_3n[:, near] - focus.centre[:, None]
        wave = sample(extent.wave_xyz, extent.space, points_3n[:, near])
        length = np.sqrt((offset**2).sum(axis=0))
        if focus.radius_mm:
            edge = min(plan.edge_mm, 0.25 * focus.radius_mm)
            core[near] = np.minimum(core[near], length - focus.radius_mm + edge * wave)
        border = min(plan.edge_mm + 0.2 * (focus.edema_mm - focus.radius_mm), 0.3 * focus.edema_mm)
        whole[near] = np.minimum(whole[near], length - focus.edema_mm + border * wave)
    return np.minimum(whole, core), core


def _speed(plan: Plan, healthy: Healthy) -> np.ndarray:
    """Diffusion relative to white matter: slower in grey matter, none in fluid and outside."""
    grey = np.minimum(healthy.grey_n + 0.6 * healthy.deep_n, 1)
    tissue = 1 - healthy.fluid_n
    open_n = (healthy.fluid_n < _FLUID_BARS) & (healthy.depth_n > 0)
    return np.where(open_n, tissue * ((1 - grey) + grey / plan.fibre), 0.0)


def _seeds(rng: np.random.Generator, plan: Plan, space: Space, healthy: Healthy) -> np.ndarray:
    """The voxels (S, 3) at which an infiltrating tumour begins: one, and others 15 to 40 mm from it."""
    chosen = [_draw_voxel(rng, site_mask(plan.site, space, healthy))]
    places = np.moveaxis(np.indices(space.shape), 0, -1) * _STEP_MM
    for _ in range(plan.seeds - 1):
        away = np.sqrt(((places - chosen[0] * _STEP_MM) ** 2).sum(axis=-1))
        near = site_mask(plan.site, space, healthy) & (away > 12) & (away < 40)
        if near.any():
            chosen.append(_draw_voxel(rng, near))
    return np.array(chosen)


def _foci(
    rng: np.random.Generator, nodules: Nodules, space: Space, around: tuple[Healthy, np.ndarray]
) -> list[Focus]:
    """Place nodules, apart from the main lesion."""
    healthy, whole = around
    free = site_mask(nodules.site, space, healthy) & (whole > 8)
    foci: list[Focus] = []
    low, high = nodules.radius_mm
    for number in range(nodules.count):
        if not free.any():
            break
        voxel = _draw_voxel(rng, free)
        rank = 1.0 if number == 0 else rng.random()
        radius = low * (high / low) ** rank if low else 0.0
        share = radius / high if high else rng.random()
        reach = nodules.reach_mm[0] + (nodules.reach_mm[1] - nodules.reach_mm[0]) * share
        centre = np.array([axis[k] for axis, k in zip(space.axes, voxel, strict=True)])
        foci.append(Focus(centre + rng.uniform(-0.5, 0.5, 3) * _STEP_MM, radius, radius + reach))
        free &= _distance(space, centre) > 1.5 * radius + 6
    return foci


def _distance(space: Space, centre: np.ndarray) -> np.ndarray:
    parts = [(axis - place) ** 2 for axis, place in zip(space.axes, centre, strict=True)]
    return np.sqrt(parts[0][:, None, None] + parts[1][:, None] + parts[2])


def site_mask(site: Site, space: Space, healthy: Healthy) -> np.ndarray:
    """The voxels (X, Y, Z) of a coarse space where lesions of a site may begin."""
    depth, ventricle = healthy.depth_n, healthy.ventricle_n
    solid = (healthy.fluid_n < _SOLID) & (depth > 3)
    x = np.abs(np.broadcast_to(space.x[:, None, None], space.shape)).ravel()
    above = healthy.cerebrum_n > 0.9
    masks = {
        "lobes": solid & above & (depth > 7) & (ventricle > 4) & (healthy.grey_n < 0.6),
        "temporal": solid & above & (depth > 4) & (x > 20) & _lowest(space, above, _TEMPORAL_HEIGHT),
        "midline": solid & (x < 12) & (depth > 8) & ((healthy.deep_n > 0.3) | ~above),
        "cerebellum": solid & (healthy.cerebrum_n < 0.1) & (depth > 8),
        "junction": solid & (depth > 5) & (depth < 22) & (healthy.grey_n > 0.1) & (healthy.grey_n < 0.8),
        "surface": (depth > -1) & (depth < 5) & above,
    }
    chosen = masks[site]
    return (chosen if chosen.any() else masks["lobes"]).reshape(space.shape)


def _lowest(space: Space, mask_n: np.ndarray, share: float) -> np.ndarray:
    """Whether each voxel (N) lies in the lowest share of a mask's height."""
    height = np.broadcast_to(space.z[None, None, :], space.shape).ravel()
    low, high = height[mask_n].min(initial=np.inf), height[mask_n].max(initial=-np.inf)
    return height < low + share * (high - low)


def _draw_voxel(rng: np.random.Generator, mask_xyz: np.ndarray) -> np.ndarray:
    places = np.argwhere(mask_xyz)
    return places[int(rng.integers(len(places)))]


def smooth_noise_at(rng: np.random.Generator, scale_mm: float, points_3n: np.ndarray) -> np.ndarray:
    """Noise of deviation 1, smooth over `scale_mm`, at points (3, N) in mm; nothing for none."""
    if not points_3n.shape[1]:
        return np.zeros(0)
    step = max(scale_mm / 3, 1.0)
    low, high = points_3n.min(axis=1) - step, points_3n.max(axis=1) + 2 * step
    space = Space(*(np.arange(first, last + step, step) for first, last in zip(low, high, strict=True)))
    return sample(space.noise(rng, scale_mm), space, points_3n)
