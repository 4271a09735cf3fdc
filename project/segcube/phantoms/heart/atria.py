"""A synthetic chest with both atria in a late-enhancement scan."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

import numpy as np

from segcube.core import Grid, Vector
from segcube.phantoms.fields import Space, inside, paint, union
from segcube.phantoms.generator import USUAL, Generator
from segcube.phantoms.heart.chest import build_chest, draw_chest, paint_mediastinum
from segcube.phantoms.heart.contrast import Levels, draw_levels
from segcube.phantoms.heart.scan import acquire_heart, draw_heart_scan
from segcube.phantoms.heart.shapes import COARSE_MM, Heart, Shape, Vein, build_heart, draw_shape
from segcube.phantoms.physics import Range
from segcube.phantoms.streams import Streams

_HEART_HALF_MM = (105.0, 95.0, 1000.0)
_FLAT_CHANCE = 0.3
_WALL_MM: Range = (1.5, 3.2)


class Chamber(IntEnum):
    """The tissue of a voxel of the atria; the challenge's YAML defines its label value."""

    NONE = 0
    RIGHT_CAVITY = 1
    LEFT_CAVITY = 2
    RIGHT_WALL = 3
    LEFT_WALL = 4


def make_chest(streams: Streams, grid: Grid, generator: Generator = USUAL) -> tuple[np.ndarray, np.ndarray]:
    """Make a chest: int16 image (1, X, Y, Z), and its `Chamber` (X, Y, Z) uint8.

    grid: LPS, the axes to the patient's left, back and head.
    """
    space = _space(streams("view"), grid)
    shape = draw_shape(streams("heart"))
    if generator.anatomy == "other":
        shape = _of_other_family(streams("family"), shape)
    levels = draw_levels(streams("contrast"), generator.contrast)
    chest = draw_chest(streams("chest"), 0.8 * shape.body_mm[1] + shape.back_mm)
    signal = build_chest(chest, space, levels.tissues)
    box = space.box((0, 0, 0), _HEART_HALF_MM)
    heart = build_heart(shape, space[box])
    within = signal[box]
    _paint_fat(within, heart, levels)
    paint_mediastinum(within, space[box], chest, levels.tissues)
    _paint_vessels(within, heart, shape.muscle_mm[2], levels)
    _paint_atria(streams("walls"), within, space[box], heart, levels)
    chambers = np.zeros(grid.shape, np.uint8)
    rng = streams("labels")
    chambers[box] = chambers_of(heart, rng.uniform(1.6, 2.6), rng.uniform(0.0, 1.2))
    image = acquire_heart(signal, _scan_space(grid), draw_heart_scan(streams("scan")))
    return image[None], chambers


def chambers_of(heart: Heart, wall_mm: float, inset_mm: float) -> np.ndarray:
    """`Chamber` of each voxel: cavities, and walls around them that are open towards the ventricles.

    inset_mm: how far within the blood's border a cavity's label ends, as annotators differ in it.
    """
    right, left = heart.right_xyz, heart.left_xyz
    solid = (heart.ventricles_xyz > 0) & (heart.muscle_xyz > -6)
    solid &= (heart.veins_xyz > 0) & (heart.arteries_xyz > 0)
    chambers = np.zeros(left.shape, np.uint8)
    chambers[(right < wall_mm) & solid] = Chamber.RIGHT_WALL
    chambers[(left < wall_mm) & (left < right) & solid] = Chamber.LEFT_WALL
    chambers[right < -inset_mm] = Chamber.RIGHT_CAVITY
    chambers[left < -inset_mm] = Chamber.LEFT_CAVITY
    return chambers


def _of_other_family(rng: np.random.Generator, shape: Shape) -> Shape:
    """Return a heart with variants that the usual ones lack, bent as a whole.

    In 30 % both left veins share a trunk, in 60 % of the others the lower right one is narrow and near the
    upper one.
    """
    veins = list(shape.veins)
    if rng.random() < 0.3:
        radius = 1.3 * max(vein.radius for vein in veins[2:])
        veins[2] = veins[3] = Vein(_between(veins[2], veins[3]), radius, veins[2].labelled_mm + 6)
    elif rng.random() < 0.6:
        veins[1] = Vein(_between(veins[0], veins[1]), 0.7 * veins[0].radius, veins[0].labelled_mm)
    x, y, z = (float(value) for value in np.array(shape.stretch) * np.exp(rng.normal(0, 0.12, 3)))
    return replace(shape, veins=tuple(veins), stretch=(x, y, z), bend_mm=rng.uniform(3, 7))


def _between(first: Vein, second: Vein) -> Vector:
    x, y, z = (float(value) for value in np.add(first.direction, second.direction) / 2)
    return x, y, z


def _scan_space(grid: Grid) -> Space:
    """The grid in mm as its header states it."""
    return Space(*(np.arange(size) * step for size, step in zip(grid.shape, grid.spacing, strict=True)))


def _space(rng: np.random.Generator, grid: Grid) -> Space:
    """Coordinates in mm from the middle of the left atrium, which is near the middle of the grid.

    In a share of cases, slices are twice as far apart as the header states: scanners interpolate between
    slices, and copies of such scans keep the distance of before.
    """
    shift = (rng.uniform(-30, 20), rng.uniform(-65, -5), rng.uniform(-10, 10))
    factor = 2.0 if rng.random() < _FLAT_CHANCE else 1.0
    steps = (grid.spacing[0], grid.spacing[1], factor * grid.spacing[2])
    sizes = zip(grid.shape, steps, shift, strict=True)
    return Space(*((np.arange(size) - size / 2) * step + offset for size, step, offset in sizes))


def _paint_fat(signal: np.ndarray, heart: Heart, levels: Levels) -> None:
    """Add the fat around the heart and its vessels, in place."""
    near = union(heart.left_xyz, heart.right_xyz, heart.muscle_xyz, heart.arteries_xyz, heart.oesophagus_xyz)
    paint(signal, inside(near - 7, 4), levels.tissues["fat"])


def _paint_vessels(signal: np.ndarray, heart: Heart, aorta_wall_mm: float, levels: Levels) -> None:
    """Add the oesophagus, the heart's muscle, arteries with their wall, ventricles and veins, in place."""
    tissues = levels.tissues
    paint(signal, inside(heart.oesophagus_xyz, 2), tissues["oesophagus"])
    paint(signal, inside(heart.oesophagus_xyz + 3, 2), 0.7 * tissues["oesophagus"])
    paint(signal, inside(heart.muscle_xyz, 1.5), tissues["muscle"])
    wall = 0.5 * (tissues["muscle"] + tissues["scar"])
    paint(signal, inside(heart.arteries_xyz - aorta_wall_mm), wall)
    paint(signal, inside(heart.arteries_xyz), levels.arteries)
    paint(signal, inside(heart.ventricles_xyz), levels.ventricles)
    paint(signal, inside(heart.veins_xyz), levels.left_atrium)


def _paint_atria(
    rng: np.random.Generator, signal: np.ndarray, space: Space, heart: Heart, levels: Levels
) -> None:
    """Add the walls of the atria with their scars, and their blood, in place."""
    tissues = levels.tissues
    coarse = space.coarse(COARSE_MM)
    scar = inside(space.interpolate(coarse.noise(rng, 8), coarse) - levels.scar_threshold, 0.6)
    share = levels.wall + (1 - levels.wall) * scar
    wall = tissues["muscle"] + (tissues["scar"] - tissues["muscle"]) * share
    paint(signal, inside(union(heart.right_xyz, heart.left_xyz) - rng.uniform(*_WALL_MM)), wall)
    mixing = 1 + levels.texture * space.interpolate(coarse.noise(rng, 5), coarse)
    for cavity, level in ((heart.right_xyz, levels.right_atrium), (heart.left_xyz, levels.left_atrium)):
        paint(signal, inside(cavity), level * mixing)
