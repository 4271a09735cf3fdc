"""Brightness of every tissue in every channel: one draw of a case's tissues, field and sequences."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from typing import Literal

import numpy as np

from segcube.core import UsageError
from segcube.phantoms.brain.tissues import Tissue
from segcube.phantoms.physics import Properties, PropertyRanges, Range, Sequence, brightness, nulling_time

T3_BY_T15 = 1.25
"""T1 of lesions at 3 T against 1.5 T, where no range is given for 3 T."""

_AT_15_T: dict[Tissue, tuple[Range, Range, Range]] = {
    Tissue.WHITE: ((0.68, 0.73), (560, 700), (70, 85)),
    Tissue.GREY: ((0.78, 0.84), (900, 1150), (85, 102)),
    Tissue.DEEP_GREY: ((0.73, 0.79), (750, 980), (72, 90)),
    Tissue.FLUID: ((0.95, 1.0), (3000, 4500), (200, 800)),
    Tissue.CHOROID: ((0.82, 0.92), (1000, 1600), (100, 200)),
    Tissue.VESSEL: ((0.85, 0.95), (1200, 1500), (100, 200)),
    Tissue.DURA: ((0.45, 0.65), (500, 900), (25, 60)),
    Tissue.SPOT: ((0.74, 0.84), (700, 1000), (90, 140)),
    Tissue.BONE: ((0.03, 0.10), (400, 900), (5, 40)),
    Tissue.FAT: ((0.85, 1.0), (230, 300), (50, 90)),
    Tissue.EDEMA: ((0.80, 0.92), (750, 1300), (95, 155)),
    Tissue.CORE: ((0.84, 0.96), (850, 1700), (110, 260)),
    Tissue.ENHANCING: ((0.82, 0.94), (750, 1200), (100, 170)),
    Tissue.CYST: ((0.93, 1.0), (1800, 3200), (250, 900)),
    Tissue.BLOOD: ((0.75, 0.90), (300, 600), (35, 200)),
    Tissue.CAVITY: ((0.95, 1.0), (2200, 4200), (250, 900)),
}
"""pd, T1 and T2 in ms at 1.5 T.

Healthy tissue: Stanisz 2005, Wansapura 1999, Deoni 2005. Tumour and edema: Just and Thelen 1988, Kjaer 1991,
Hattingen 2017. Fluid's T2 is an effective one: pulsation and mixture shorten it from 2 s.
"""
_AT_3_T: dict[Tissue, tuple[Range, Range]] = {
    Tissue.WHITE: ((800, 1000), (62, 78)),
    Tissue.GREY: ((1250, 1600), (78, 96)),
    Tissue.DEEP_GREY: ((1000, 1300), (60, 78)),
    Tissue.FLUID: ((3000, 4500), (200, 800)),
}
"""T1 and T2 of healthy tissue at 3 T (Stanisz 2005, Wansapura 1999)."""
_UPTAKE: dict[Tissue, Range] = {
    Tissue.GREY: (0.02, 0.06),
    Tissue.DEEP_GREY: (0.02, 0.06),
    Tissue.CHOROID: (0.6, 2.5),
    Tissue.VESSEL: (1.5, 5.0),
    Tissue.DURA: (0.5, 2.5),
    Tissue.EDEMA: (0.0, 0.1),
    Tissue.CORE: (0.0, 0.12),
    Tissue.ENHANCING: (0.15, 1.6),
    Tissue.FAT: (0.0, 0.0),
}
"""What gadolinium adds to 1 / T1, per s, some minutes after 0.1 mmol/kg (Tofts 1997)."""
_MIXTURE: dict[Tissue, Range] = {
    Tissue.EDEMA: (0.45, 1.0),
    Tissue.CORE: (0.5, 1.0),
    Tissue.ENHANCING: (0.45, 1.0),
    Tissue.GREY: (0.6, 1.0),
}
"""Share of the tissue itself where it is mixed with white matter between cells, edema and folds."""
_FLOW: Range = (0.1, 0.9)
"""Signal that is left of flowing blood without contrast agent."""
_FREE = 0.2
"""Share of cases with freer contrasts, so that unusual scanners are among them."""
_FREEDOM, _WIDE_FREEDOM = 0.1, 0.25
"""Deviation of the logarithm of freer contrasts, and of those that are free in every case."""
_FIXED_SEED = 1
"""Of the contrasts that all cases share."""
_VISIBLE = 1.12
"""Least FLAIR of edema against white matter; what is darker is not outlined."""
_REDRAWS = 20


def draw_contrast(
    rng: np.random.Generator,
    channels: SequenceOf[str],
    kind: Literal["physics", "fixed", "free"] = "physics",
) -> np.ndarray:
    """Draw the brightness (C, K) of each tissue in the channels of a case, relative to white matter.

    kind: as of `Generator`. It is the same whichever other channels there are. Raises UsageError for an
    unknown channel.
    """
    unknown = [channel for channel in channels if channel not in CHANNELS]
    if unknown:
        raise UsageError(
            f"synthetic brains have no channel {unknown[0]}", expected="one of " + ", ".join(CHANNELS)
        )
    if kind == "fixed":
        rng = np.random.default_rng(_FIXED_SEED)
    levels = _physical_levels(rng)
    if kind == "free":
        levels = _free_levels(rng, levels)
    elif kind == "physics" and rng.random() < _FREE:
        levels = _varied(rng, levels, _FREEDOM)
    return levels[[CHANNELS.index(channel) for channel in channels]]


def _physical_levels(rng: np.random.Generator) -> np.ndarray:
    """Levels (C, K) of one draw in which edema is visible."""
    every = _draw_levels(rng)
    for _ in range(_REDRAWS):
        if every["t2f"][Tissue.EDEMA] >= _VISIBLE:
            break
        every = _draw_levels(rng)
    return np.stack([every[channel] for channel in CHANNELS])


def _varied(rng: np.random.Generator, levels_ck: np.ndarray, deviation: float) -> np.ndarray:
    varied_ck = levels_ck * np.exp(rng.normal(0, deviation, levels_ck.shape))
    return varied_ck / varied_ck[:, [Tissue.WHITE]]


def _free_levels(rng: np.random.Generator, levels_ck: np.ndarray) -> np.ndarray:
    """Levels that no sequence has, in which edema and enhancement still are visible."""
    flair, native, enhanced = (CHANNELS.index(name) for name in ("t2f", "t1n", "t1c"))
    varied_ck = levels_ck
    for _ in range(_REDRAWS):
        varied_ck = _varied(rng, levels_ck, _WIDE_FREEDOM)
        if varied_ck[flair, Tissue.EDEMA] >= _VISIBLE and (
            varied_ck[enhanced, Tissue.ENHANCING] >= _VISIBLE * varied_ck[native, Tissue.ENHANCING]
        ):
            break
    return varied_ck


def _draw_levels(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Levels of all tissues in all channels, relative to white matter."""
    is_3_t = rng.random() < 0.55
    tissues = [_draw_properties(rng, _ranges(tissue, is_3_t)) for tissue in Tissue]
    uptake = [_draw_uptake(rng, tissue) for tissue in Tissue]
    share = [float(rng.uniform(*_MIXTURE.get(tissue, (1.0, 1.0)))) for tissue in Tissue]
    t1n = _t1_sequence(rng)
    t1c = t1n if rng.random() < 0.5 else _t1_sequence(rng)
    sequences = {"t1n": t1n, "t1c": t1c, "t2w": _t2_sequence(rng), "t2f": _flair(rng, tissues[Tissue.FLUID])}
    levels: dict[str, np.ndarray] = {}
    for channel, sequence in sequences.items():
        agent = uptake if channel == "t1c" else [0.0] * len(tissues)
        signal = np.array([brightness(t, sequence, u) for t, u in zip(tissues, agent, strict=True)])
        if channel != "t1c":
            signal[Tissue.VESSEL] *= rng.uniform(*_FLOW)
        levels[channel] = (signal / signal[Tissue.WHITE]) ** np.array(share)
    return levels


def _draw_uptake(rng: np.random.Generator, tissue: Tissue) -> float:
    low, high = _UPTAKE.get(tissue, (0.0, 0.0))
    if tissue is not Tissue.ENHANCING:
        return float(rng.uniform(low, high))
    # The leak of vessels in tumours differs by orders of magnitude: faint enhancement is as usual as strong
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _draw_properties(rng: np.random.Generator, ranges: PropertyRanges) -> Properties:
    """Draw properties whose ranks go together: T1 and T2 grow with water (Fatouros and Marmarou 1999)."""
    water, t1, t2 = rng.random(3)
    return ranges.at(float(water), float(0.7 * water + 0.3 * t1), float(0.4 * water + 0.6 * t2))


def _ranges(tissue: Tissue, is_3_t: bool) -> PropertyRanges:
    pd, t1, t2 = _AT_15_T[tissue]
    if is_3_t and tissue in _AT_3_T:
        return PropertyRanges(pd, *_AT_3_T[tissue])
    factor = T3_BY_T15 if is_3_t else 1.0
    return PropertyRanges(pd, (t1[0] * factor, t1[1] * factor), t2)


def _t1_sequence(rng: np.random.Generator) -> Sequence:
    """Spin echo, or inversion recovery as in MP-RAGE."""
    if rng.random() < 0.6:
        return Sequence(tr=rng.uniform(400, 800), te=rng.uniform(8, 15))
    return Sequence(tr=rng.uniform(1800, 2300), te=rng.uniform(2.5, 5), ti=rng.uniform(850, 1100))


def _t2_sequence(rng: np.random.Generator) -> Sequence:
    return Sequence(tr=rng.uniform(3000, 6500), te=rng.uniform(80, 115))


def _flair(rng: np.random.Generator, fluid: Properties) -> Sequence:
    """An inversion recovery that nulls fluid, not quite in every case."""
    tr = rng.uniform(8000, 11000)
    return Sequence(tr, te=rng.uniform(85, 135), ti=nulling_time(fluid.t1, tr) * rng.uniform(0.93, 1.03))


CHANNELS = ("t2f", "t1n", "t1c", "t2w")
"""The channels that a synthetic brain may have."""
