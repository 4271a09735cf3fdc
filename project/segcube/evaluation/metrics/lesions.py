"""Compare the lesions of a reference with the components of a prediction, one region at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segcube.core import Vector
from segcube.evaluation.metrics.components import ComponentMap, dilated
from segcube.evaluation.metrics.distances import BorderDistances
from segcube.evaluation.metrics.pair import volume_of
from segcube.evaluation.metrics.surfels import SurfaceDistances
from segcube.spec.challenges import LesionRule

EPSILON = 1e-8
"""Added to the denominator of NSD, as the organisers' scripts do."""


@dataclass(frozen=True)
class Comparison:
    """A lesion of the reference, compared with the components that meet it."""

    number: int
    volume: float
    """In mm3."""
    counted: bool
    """Whether it is larger than the region's threshold."""
    met: tuple[int, ...]
    """Components that meet the dilated lesion; their union is compared with it."""
    dice: float
    hd95: float
    """In mm; inf where no component meets the lesion."""
    nsd: tuple[float, ...]
    """At each tolerance."""


@dataclass(frozen=True)
class Compared:
    """A region's lesions, and the components that meet none of them."""

    lesions: tuple[Comparison, ...]
    false_positives: tuple[tuple[int, float], ...]
    """Number and volume in mm3."""

    @property
    def counted(self) -> list[Comparison]:
        """The lesions that are larger than the threshold."""
        return [lesion for lesion in self.lesions if lesion.counted]


def compare_lesions(
    found: ComponentMap,
    reference: ComponentMap,
    rule: LesionRule,
    spacing: Vector,
    tolerances: Sequence[float] = (),
    distances: bool = True,
) -> Compared:
    """Compare each lesion with the union of the components that meet it once it is dilated by the rule.

    A component may meet several lesions. A lesion of at most the threshold is not counted, but a component
    that meets it is no false positive either. tolerances: of NSD. distances: False leaves out HD95, as nan,
    and NSD, which take most of the time.
    """
    lesions: list[Comparison] = []
    for number in reference.numbers:
        met, dice = _overlap(number, found, reference, rule.dilation)
        volume = volume_of(int(reference.sizes[number]), spacing)
        hd95, nsd = math.nan, ()
        if not met:
            hd95, nsd = math.inf, (0.0,) * len(tolerances)
        elif distances:
            surfaces = reference.surface_of((number,), spacing), found.surface_of(met, spacing)
            hd95 = SurfaceDistances(*surfaces, spacing).hd95()
            if tolerances:
                borders = BorderDistances(found.border_of(met), reference.border_of((number,)), spacing)
                nsd = tuple(borders.nsd(tolerance, EPSILON) for tolerance in tolerances)
        lesions.append(Comparison(number, volume, volume > rule.threshold, met, dice, hd95, nsd))
    met = {number for lesion in lesions for number in lesion.met}
    alone = [number for number in found.numbers if number not in met]
    volumes = [volume_of(int(found.sizes[number]), spacing) for number in alone]
    return Compared(tuple(lesions), tuple(zip(alone, volumes, strict=True)))


def _overlap(
    number: int, found: ComponentMap, reference: ComponentMap, dilation: int
) -> tuple[tuple[int, ...], float]:
    """The components that meet a dilated lesion, and the Dice of their union with it; 0 without any."""
    slices = reference.slices_of(number, dilation)
    lesion_xyz, found_xyz = reference.ids_xyz[slices] == number, found.ids_xyz[slices]
    met = tuple(
        int(component) for component in np.unique(found_xyz[dilated(lesion_xyz, dilation)]) if component
    )
    common = int(np.count_nonzero(found_xyz[lesion_xyz]))
    both = int(reference.sizes[number]) + int(found.sizes[list(met)].sum())
    return met, 2 * common / both if met else 0.0
