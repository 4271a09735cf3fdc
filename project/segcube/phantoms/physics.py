"""Brightness of a tissue by the signal equations of MRI."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

Range = tuple[float, float]

_R2_BY_R1 = 1.2
"""Ratio of the relaxivities of gadolinium chelates: r1 about 4, r2 about 5 per s and mmol/l (Rohrer 2005)."""


@dataclass(frozen=True)
class Properties:
    """Properties of a tissue in a field: proton density relative to water, T1 and T2 in ms."""

    pd: float
    t1: float
    t2: float


@dataclass(frozen=True)
class PropertyRanges:
    """Lowest and highest properties of a tissue among people."""

    pd: Range
    t1: Range
    t2: Range

    def at(self, pd: float, t1: float, t2: float) -> Properties:
        """Return the properties at ranks from 0, the lowest, to 1, the highest."""
        return Properties(between(self.pd, pd), between(self.t1, t1), between(self.t2, t2))

    def draw(self, rng: np.random.Generator) -> Properties:
        """Draw each property uniformly and apart from the others."""
        pd, t1, t2 = rng.random(3)
        return self.at(float(pd), float(t1), float(t2))


@dataclass(frozen=True)
class Sequence:
    """A pulse sequence, times in ms.

    A spin echo has a flip angle of 90 degrees; a smaller one makes it a spoiled gradient echo. With an
    inversion time it is an inversion recovery, such as FLAIR, MP-RAGE or late enhancement.
    """

    tr: float
    te: float
    ti: float | None = None
    flip_deg: float = 90.0


def brightness(tissue: Properties, sequence: Sequence, gadolinium: float = 0.0) -> float:
    """Return the magnitude of the signal in units of that of water at rest, 0 to 1.

    gadolinium: what the contrast agent adds to the relaxation rate 1 / T1, in 1 / s.

    Spin echo and spoiled gradient echo: pd sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE / T2), with
    E1 = exp(-TR / T1). Inversion recovery: pd |1 - 2 exp(-TI / T1) + exp(-TR / T1)| exp(-TE / T2)
    (Bernstein, King and Zhou, Handbook of MRI Pulse Sequences, 2004).
    """
    tissue = enhance(tissue, gadolinium)
    recovered = math.exp(-sequence.tr / tissue.t1)
    flip = math.radians(sequence.flip_deg)
    if sequence.ti is None:
        along = math.sin(flip) * (1 - recovered) / (1 - math.cos(flip) * recovered)
    else:
        along = math.sin(flip) * abs(1 - 2 * math.exp(-sequence.ti / tissue.t1) + recovered)
    return tissue.pd * along * math.exp(-sequence.te / tissue.t2)


def enhance(tissue: Properties, gadolinium: float) -> Properties:
    """Return a tissue's properties with a contrast agent that adds `gadolinium` to 1 / T1, in 1 / s."""
    rate = gadolinium / 1000
    return replace(tissue, t1=1 / (1 / tissue.t1 + rate), t2=1 / (1 / tissue.t2 + _R2_BY_R1 * rate))


def nulling_time(t1: float, tr: float) -> float:
    """Return the inversion time in ms at which a tissue of this T1 gives no signal."""
    return t1 * (math.log(2) - math.log1p(math.exp(-tr / t1)))


def between(limits: Range, rank: float) -> float:
    """Return the value at a rank from 0, the lower limit, to 1, the upper one."""
    low, high = limits
    return low + (high - low) * rank
