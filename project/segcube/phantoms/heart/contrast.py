"""Brightness of the tissues of a chest with late gadolinium enhancement, by the inversion recovery equation.

T1 at 1.5 T, 10 to 25 minutes after 0.1 to 0.2 mmol/kg of a contrast agent, is longest in muscle, shorter by
100 to 150 ms in blood (Han 2009, PMC2862561), and shortest in scar (Biglands 2012, J Cardiovasc Magn Reson
14:66, figure 18); 540, 440 and 425 ms were measured after 15 minutes (J Cardiovasc Magn Reson 2013, 15:11).
Fat has its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from segcube.phantoms.physics import PropertyRanges, Range, Sequence, between, brightness, nulling_time

RANGES = {
    "blood": PropertyRanges((0.90, 0.95), (260, 440), (120, 220)),
    "muscle": PropertyRanges((0.78, 0.82), (340, 550), (40, 55)),
    "scar": PropertyRanges((0.80, 0.86), (210, 400), (45, 70)),
    "fat": PropertyRanges((0.85, 0.95), (230, 280), (60, 90)),
    "oesophagus": PropertyRanges((0.78, 0.84), (280, 450), (40, 60)),
    "skeletal": PropertyRanges((0.76, 0.80), (420, 650), (32, 45)),
    "liver": PropertyRanges((0.72, 0.78), (260, 420), (35, 50)),
    "lung": PropertyRanges((0.08, 0.22), (450, 800), (2, 6)),
    "fluid": PropertyRanges((0.98, 1.0), (1500, 3500), (500, 1500)),
}
_RR_MS: Range = (650, 1150)
"""Of a heart beat, after which the next inversion follows."""
_TE_MS: Range = (1.1, 2.6)
_LATE: Range = (1.0, 1.55)
"""Inversion time relative to that which nulls muscle: T1 lengthens during a scan of minutes, and a time that
is too long keeps the order of the tissues."""
_FAT_LEFT: Range = (0.05, 0.6)
"""Share of the fat's signal that fat saturation leaves."""
_HIGHEST = {"muscle": 0.9, "scar": 1.5, "fat": 0.9}
"""Relative to blood; a brighter tissue means a scan that is useless or nulled blood."""

_FREEDOM = 0.25
"""Deviation of the logarithm of free contrasts."""
_FIXED_SEED = 1
"""Of the contrasts that all cases share."""


@dataclass(frozen=True)
class Levels:
    """Brightness of tissues relative to blood."""

    tissues: dict[str, float]
    wall: float
    """Share of scar in an atrial wall outside of its scars; late enhancement is diffuse in fibrillation."""
    scar_threshold: float
    """Noise above it is scar, in deviations."""
    left_atrium: float
    right_atrium: float
    ventricles: float
    arteries: float
    """Of blood in these places, where the agent mixes unevenly."""
    texture: float


def draw_levels(rng: np.random.Generator, kind: Literal["physics", "fixed", "free"] = "physics") -> Levels:
    """Draw tissues and sequence until blood is bright among them, as in every scan of use.

    kind: as of `Generator`.
    """
    drawn = np.random.default_rng(_FIXED_SEED) if kind == "fixed" else rng
    tissues = _draw_tissues(drawn, kind)
    while any(tissues[name] > highest for name, highest in _HIGHEST.items()):
        tissues = _draw_tissues(drawn, kind)
    left, right, ventricles, arteries = (float(level) for level in np.exp(rng.normal(0, 0.05, 4)))
    return Levels(
        tissues,
        wall=rng.uniform(0.2, 1.0),
        scar_threshold=rng.uniform(-1.5, 0.8),
        left_atrium=left,
        right_atrium=right,
        ventricles=ventricles,
        arteries=arteries,
        texture=rng.uniform(0.02, 0.1),
    )


def _draw_tissues(rng: np.random.Generator, kind: str) -> dict[str, float]:
    found = {name: ranges.draw(rng) for name, ranges in RANGES.items()}
    beat = rng.uniform(*_RR_MS)
    inversion = nulling_time(found["muscle"].t1, beat) * rng.uniform(*_LATE)
    sequence = Sequence(tr=beat, te=rng.uniform(*_TE_MS), ti=inversion, flip_deg=20)
    signals = {name: brightness(tissue, sequence) for name, tissue in found.items()}
    signals["fat"] *= between(_FAT_LEFT, rng.random())
    signals["marrow"] = 0.5 * signals["fat"] + 0.3 * signals["skeletal"]
    levels = {name: signal / signals["blood"] for name, signal in signals.items()}
    if kind == "free":
        levels |= {name: level * float(np.exp(rng.normal(0, _FREEDOM))) for name, level in levels.items()}
        levels["blood"] = 1.0
    return levels
