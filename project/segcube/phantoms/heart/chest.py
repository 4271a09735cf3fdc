"""What surrounds a heart: lungs with their vessels, ribs, spine and liver, in levels relative to blood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.core import Vector
from segcube.phantoms.fields import Space, ellipsoid, inside, paint, tube, union

COARSE_MM, FINER_MM = 4.0, 2.5
_VERTEBRA_MM = 25.0
"""Height of a thoracic vertebra with its disc."""


@dataclass(frozen=True)
class Chest:
    """The parameters of a chest; lengths in mm relative to the heart, x to the left, y to the back."""

    half_width: float
    half_depth: float
    middle: Vector
    dome: float
    """Height of the liver's top."""
    seed: int


def draw_chest(rng: np.random.Generator, back_mm: float) -> Chest:
    """Draw a chest. back_mm: where the spine begins behind the heart."""
    return Chest(
        half_width=rng.uniform(145, 195),
        half_depth=rng.uniform(100, 130),
        middle=(rng.uniform(-15, 0), back_mm + 17, 0.0),
        dome=rng.uniform(-85, -30),
        seed=int(rng.integers(2**63)),
    )


def build_chest(chest: Chest, space: Space, levels: dict[str, float]) -> np.ndarray:
    """Brightness (X, Y, Z) of a chest without its heart, drawn coarsely."""
    rng = np.random.default_rng(chest.seed)
    coarse = space.coarse(COARSE_MM)
    wave = 4 * coarse.noise(rng, 30)
    x, back, _ = chest.middle
    # From the middle of a vertebra to the skin of the back
    centre = (x, back + 60 - chest.half_depth, 0.0)
    body = ellipsoid(coarse, centre, (chest.half_width, chest.half_depth, 900))
    cage = ellipsoid(coarse, centre, (chest.half_width - 26, chest.half_depth - 22, 900)) + wave
    dome = ellipsoid(coarse, (x - 60, centre[1], chest.dome - 70), (95, 95, 70)) + wave
    signal = np.full(coarse.shape, 0.01)
    paint(signal, inside(body, 4), levels["fat"])
    paint(signal, inside(cage - 14, 4), levels["skeletal"])
    paint(signal, inside(cage - 14, 4) * (coarse.noise(rng, 10) > 0.8), levels["marrow"])
    paint(signal, inside(cage, 4), levels["lung"])
    paint(signal, inside(np.maximum(dome, cage), 4), levels["liver"])
    return space.interpolate(signal, coarse)


def paint_mediastinum(signal: np.ndarray, space: Space, chest: Chest, levels: dict[str, float]) -> None:
    """Add the vessels of the lungs, and the spine with its discs and canal, in place."""
    rng = np.random.default_rng(chest.seed + 1)
    coarse = space.coarse(FINER_MM)
    lines = np.hypot(6.0 * coarse.noise(rng, 9), 6.0 * coarse.noise(rng, 9)) - rng.uniform(1.0, 2.0)
    x, y, _ = chest.middle
    lines = np.maximum(lines, ellipsoid(coarse, (x, y + 20 - 75, 0), (100, 75, 900)))
    bone = ellipsoid(coarse, (x, y, 0), (19, 16, 900)) + coarse.noise(rng, 12)
    height = np.abs((coarse.z + rng.uniform(0, _VERTEBRA_MM)) % _VERTEBRA_MM - 0.5 * _VERTEBRA_MM)
    disc = np.maximum(bone, height - 2.5)
    canal = tube(coarse, [(x, y + 24, -300), (x, y + 24, 300)], 9)
    muscle = union(*(ellipsoid(coarse, (x + side * 32, y + 30, 0), (24, 17, 900)) for side in (-1, 1)))
    # Colour and occupancy are collected on the coarse grid, as each step to the fine one takes long
    colour, occupied = np.zeros(coarse.shape), np.zeros(coarse.shape)
    for shape, level in (
        (lines, 0.8),
        (muscle, levels["skeletal"]),
        (bone - 1.5, levels["fat"]),
        (bone, levels["marrow"]),
        (disc, 1.2 * levels["skeletal"]),
        (canal, levels["fluid"]),
    ):
        share = inside(shape, 2)
        paint(colour, share, level)
        paint(occupied, share, 1.0)
    signal *= 1 - space.interpolate(occupied, coarse)
    signal += space.interpolate(colour, coarse)
