"""A synthetic chest with both atria in a late-enhancement scan."""

from __future__ import annotations

import numpy as np

from segcube.core import Grid
from segcube.phantoms.fields import Space, ellipsoid, inside, paint, union
from segcube.phantoms.heart import Chamber, Heart, make_chambers, make_heart

_HEART_HALF_MM = (95.0, 90.0, 1000.0)
_CHEST_MM = 4.0
_BRIGHTEST = 32000


def make_atria(rng: np.random.Generator, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Make a chest: int16 image (1, X, Y, Z), and its `Chamber` (X, Y, Z) uint8.

    grid: LPS, the axes to the patient's left, back and head.
    """
    space = _chest_space(rng, grid)
    signal = _chest(rng, space)
    box = space.box((0, 0, 0), _HEART_HALF_MM)
    heart = make_heart(rng, space[box])
    chamber_xyz = np.zeros(grid.shape, np.uint8)
    chamber_xyz[box] = make_chambers(rng, heart)
    _paint_heart(rng, signal[box], (space[box], heart, chamber_xyz[box]))
    return _scan(rng, signal, space)[None], chamber_xyz


def _chest_space(rng: np.random.Generator, grid: Grid) -> Space:
    """Coordinates in mm from the centre of the heart, which is near the centre of the grid."""
    shift = (rng.uniform(-25, 25), rng.uniform(-20, 30), rng.uniform(-10, 10))
    sizes = zip(grid.shape, grid.spacing, shift, strict=True)
    return Space(*((np.arange(size) - size / 2) * step + offset for size, step, offset in sizes))


def _chest(rng: np.random.Generator, space: Space) -> np.ndarray:
    """Body, muscle, ribs, lungs, liver and spine: brightness relative to blood."""
    coarse = space.coarse(_CHEST_MM)
    wave = 5 * coarse.noise(rng, 32)
    body = ellipsoid(coarse, (-10, 5, 0), (170 + rng.uniform(-10, 20), 118 + rng.uniform(-10, 10), 900))
    cage = ellipsoid(coarse, (-10, 5, 0), (143, 96, 900)) + wave
    lungs = union(
        ellipsoid(coarse, (-88, 12, 10), (52, 84, 120)), ellipsoid(coarse, (82, 22, 10), (48, 76, 120))
    )
    dome = rng.uniform(-50, -22)
    liver = ellipsoid(coarse, (-70, -5, dome - 60), (85, 88, 60)) + wave
    spine = ellipsoid(coarse, (-4, 76, 0), (21, 18, 900)) + 0.3 * wave
    ribs = rng.uniform(0.25, 0.5) + 0.25 * (coarse.noise(rng, 12) > 0.8)
    signal = np.full(coarse.shape, np.float32(0.02))
    paint(signal, inside(body, 4), rng.uniform(0.15, 0.7))
    paint(signal, inside(cage - 12, 4), ribs)
    paint(signal, inside(cage, 4), rng.uniform(0.1, 0.5))
    paint(signal, inside(np.maximum(lungs + wave, cage + 4), 4), rng.uniform(0.02, 0.12))
    paint(signal, inside(np.maximum(liver, cage), 4), rng.uniform(0.3, 0.8))
    paint(signal, inside(spine, 4), rng.uniform(0.1, 0.6))
    return space.interpolate(signal, coarse)


def _paint_heart(
    rng: np.random.Generator, signal: np.ndarray, content: tuple[Space, Heart, np.ndarray]
) -> None:
    """Add fat, nulled muscle, blood of nearly uniform brightness, and walls that enhance in patches."""
    space, heart, chamber = content
    near = union(heart.left_xyz, heart.right_xyz, heart.muscle_xyz, heart.vessels_xyz)
    vessels, rooms, right, left = (float(level) for level in rng.uniform(0.9, 1.1, 4))
    paint(signal, inside(near - 5, 4), rng.uniform(0.1, 0.55))
    paint(signal, inside(heart.gullet_xyz, 2), rng.uniform(0.3, 0.8))
    paint(signal, inside(heart.muscle_xyz, 1.5), rng.uniform(0.15, 0.6))
    paint(signal, inside(heart.vessels_xyz - 1.2), rng.uniform(0.2, 0.5))
    paint(signal, inside(heart.vessels_xyz), vessels)
    paint(signal, inside(heart.ventricles_xyz), rooms)
    patches = inside(rng.uniform(-0.3, 1.2) - space.noise(rng, 10), 0.6)
    wall = (chamber == Chamber.RIGHT_WALL) | (chamber == Chamber.LEFT_WALL)
    paint(signal, wall, rng.uniform(0.3, 0.65) + rng.uniform(0.6, 1.3) * patches)
    for cavity, level in ((heart.right_xyz, right), (heart.left_xyz, left)):
        paint(signal, inside(cavity, 0.8), level * (1 + 0.05 * space.noise(rng, 7.5)))


def _scan(rng: np.random.Generator, signal: np.ndarray, space: Space) -> np.ndarray:
    """Apply blur in the plane, coil bias, Rician noise and a scale, as int16."""
    for axis in (0, 1):
        signal = 0.25 * np.roll(signal, 1, axis) + 0.5 * signal + 0.25 * np.roll(signal, -1, axis)
    signal *= np.exp(rng.uniform(0.1, 0.3) * space.noise(rng, 120))
    spread = np.float32(rng.uniform(0.03, 0.12))
    real, imaginary = signal + spread * _grain(rng, space), spread * _grain(rng, space)
    scaled = np.hypot(real, imaginary) * np.float32(rng.uniform(150, 700))
    return np.clip(scaled, 0, _BRIGHTEST).astype(np.int16)


def _grain(rng: np.random.Generator, space: Space) -> np.ndarray:
    """Noise of deviation 0.8, correlated between neighbours in the plane."""
    white = rng.standard_normal(space.shape, dtype=np.float32)
    return np.float32(0.8 / np.sqrt(3)) * (white + np.roll(white, 1, 0) + np.roll(white, 1, 1))
