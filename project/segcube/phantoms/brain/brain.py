"""A synthetic brain with tumours: all steps from random streams to images and tissues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segcube.core import Grid, Vector
from segcube.phantoms.brain.anatomy import (
    Anatomy,
    Healthy,
    build_anatomy,
    draw_person,
    locate,
    sample,
)
from segcube.phantoms.brain.atlas import AtlasAnatomy, build_atlas
from segcube.phantoms.brain.contrast import draw_contrast
from segcube.phantoms.brain.distractors import distract, draw_distractors, skull
from segcube.phantoms.brain.extent import Extent, distances_at, place_lesions
from segcube.phantoms.brain.lesions import Place, compose, label_tissues
from segcube.phantoms.brain.mass_effect import displace
from segcube.phantoms.brain.paint import Content, brain_mask, paint
from segcube.phantoms.brain.plans import Enhancement, Plan, draw_plan
from segcube.phantoms.brain.shapes import SPACE
from segcube.phantoms.brain.tissues import Tissue
from segcube.phantoms.fields import Slices, Space, span
from segcube.phantoms.generator import USUAL, Generator
from segcube.phantoms.scanner import ScannerRanges, acquire, draw_scan
from segcube.phantoms.streams import Streams

_HALF_MM = (80.0, 98.0, 80.0)
_COARSE = Space(np.arange(-80.0, 81, 4), np.arange(-100.0, 101, 4), np.arange(-80.0, 81, 4))
"""The space of growth and displacements."""
_HEAD_HALF_MM = (98.0, 116.0, 98.0)
_MARGIN_MM = 3.0
"""What is drawn outside of the brain, for its mask to cut."""
_HEAD_MM = 18.0
_NEAR_MM = 16.0
"""Distance to lesions up to which points belong to them."""


@dataclass(frozen=True)
class Grown:
    """A person's brain with a grown tumour: the voxels of `_COARSE` are at places in the average brain."""

    anatomy: Anatomy | AtlasAnatomy
    plan: Plan
    places_3xyz: np.ndarray
    extent: Extent
    has_distractors: bool


@dataclass(frozen=True)
class Brain:
    """Image (C, X, Y, Z) int16, 0 outside, and the `Tissue` (X, Y, Z) uint8 of lesions, 0 elsewhere."""

    image_cxyz: np.ndarray
    tissue_xyz: np.ndarray


@dataclass(frozen=True)
class BrainRequest:
    """What a brain is to be: the tumour of a kind in `KINDS`, the channels, and how it is made.

    reference: the channel that labels are aligned with.
    """

    kind: str
    channels: Sequence[str]
    reference: str
    generator: Generator = USUAL


def make_brain(streams: Streams, grid: Grid, request: BrainRequest) -> Brain:
    """Make a brain with a tumour.

    grid: along the patient's axes, in any direction. Raises UsageError for a channel without known contrasts,
    and for an anatomy whose files are not installed.
    """
    channels, generator = request.channels, request.generator
    levels_ck = draw_contrast(streams("contrast"), channels, generator.contrast)
    plan = draw_plan(streams("tumour"), request.kind)
    if not generator.composition:
        plan = _plain_composition(plan)
    if not generator.mass_effect:
        plan = replace(plan, push=0.0)
    person = draw_person(streams("person"), plan.age_span)
    body = build_atlas(person) if generator.anatomy == "other" else build_anatomy(person)
    places = locate(person, _COARSE)
    coarse = body.at(places.reshape(3, -1), _COARSE.voxel_mm[0])
    extent = place_lesions(streams("growth"), plan, _COARSE, coarse)
    places = displace(places, extent, plan, coarse)
    space, box = _brain_box(streams("position"), grid, _HALF_MM if plan.is_stripped else _HEAD_HALF_MM)
    content = _fill(streams, Grown(body, plan, places, extent, generator.distractors), space)
    mask = (
        brain_mask(streams("mask"), content, space.shape) if plan.is_stripped else np.ones(space.shape, bool)
    )
    image_cxyz = np.zeros((len(channels), *grid.shape), np.int16)
    ranges = ScannerRanges() if generator.thick_slices else ScannerRanges(thick_chance=0.0)
    for image_xyz, channel, levels in zip(image_cxyz, channels, levels_ck, strict=True):
        signal = np.zeros(space.shape)
        signal[content.index] = paint(streams(f"paint {channel}"), content, levels, channel)
        scan = draw_scan(streams(f"scan {channel}"), ranges, channel == request.reference)
        image_xyz[box] = np.where(mask, np.maximum(acquire(signal, space, scan, 1.0), 1), 0)
    tissue = np.zeros(space.shape, np.uint8)
    tissue[content.index] = content.lesion_n
    tissue_xyz = np.zeros(grid.shape, np.uint8)
    tissue_xyz[box] = tissue * mask
    return Brain(image_cxyz, tissue_xyz)


def _plain_composition(plan: Plan) -> Plan:
    """Return a tumour of the same size with one seed and an enhancing rim, half of it core."""
    return replace(
        plan,
        seeds=1,
        core_share=0.5,
        enhancement=Enhancement("rim"),
        cyst_share=0.0,
        blood_share=0.0,
        nodules=plan.nodules if not plan.volume_ml else (),
    )


def _brain_box(rng: np.random.Generator, grid: Grid, half_mm: Vector) -> tuple[Space, Slices]:
    """The brain's box in mm about its middle, which lies near the grid's, and its voxels."""
    axes: list[np.ndarray] = []
    box: list[slice] = []
    for axis, half in enumerate(half_mm):
        middle = (grid.shape[axis] - 1) / 2 + rng.uniform(-3, 3) / grid.spacing[axis]
        place = (np.arange(grid.shape[axis]) - middle) * float(grid.affine[axis, axis])
        box.append(span(np.flatnonzero(np.abs(place) < half)))
        axes.append(place[box[-1]])
    return Space(*axes), (box[0], box[1], box[2])


def _fill(streams: Streams, grown: Grown, space: Space) -> Content:
    """Fill the voxels of a space with tissues."""
    body, plan, places, extent = grown.anatomy, grown.plan, grown.places_3xyz, grown.extent
    voxel = float(np.cbrt(np.prod(space.voxel_mm)))
    hull = sample(body.hull_xyz, SPACE, places.reshape(3, -1)).reshape(_COARSE.shape)
    margin = _MARGIN_MM if plan.is_stripped else _HEAD_MM
    index = np.nonzero(space.interpolate(hull, _COARSE) < margin)
    points = np.stack([axis[k] for axis, k in zip(space.axes, index, strict=True)])
    there = np.stack([sample(part, _COARSE, points) for part in places])
    whole, core = distances_at(extent, plan, points)
    squeeze = max(plan.push, 0) * np.exp(-np.maximum(core, 0) / 20) * min(extent.core_mm / 20, 1)
    healthy = body.at(there, voxel, squeeze)
    age = body.person.age if grown.has_distractors else None
    shares = _healthy_shares(streams, points, healthy, voxel, age)
    lesion = np.zeros(points.shape[1], np.uint8)
    near = np.flatnonzero((whole < _NEAR_MM) & (healthy.depth_n > -_MARGIN_MM))
    if len(near):
        place = Place(points[:, near], healthy.at(near), whole[near], core[near], extent.core_mm, voxel)
        parts = compose(streams("composition"), plan, place)
        lesion[near] = label_tissues(plan, place, parts)
        total = sum(parts.values())
        shares[:, near] *= 1 - total
        for tissue, share in parts.items():
            shares[tissue, near] += share
    return Content(index, points, healthy, shares, lesion)


def _healthy_shares(
    streams: Streams, points_3n: np.ndarray, healthy: Healthy, voxel_mm: float, age: float | None
) -> np.ndarray:
    """Shares (K, N) of a brain without tumour; age: for its distractors, None for none."""
    shares = np.zeros((len(Tissue), points_3n.shape[1]))
    shares[Tissue.GREY], shares[Tissue.DEEP_GREY] = healthy.grey_n, healthy.deep_n
    shares[Tissue.FLUID] = healthy.fluid_n
    shares[Tissue.WHITE] = np.clip(1 - healthy.grey_n - healthy.deep_n - healthy.fluid_n, 0, 1)
    parts: list[tuple[Tissue, np.ndarray]] = []
    if age is not None:
        distractors = draw_distractors(streams("distractors"), age)
        parts += distract(distractors, points_3n, healthy, voxel_mm).items()
    parts += skull(streams("skull"), points_3n, healthy).items()
    for tissue, share in parts:
        used = np.flatnonzero(share > 0)
        shares[:, used] *= 1 - share[used]
        shares[tissue, used] += share[used]
    return shares
