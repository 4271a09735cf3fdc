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
    tolerances: Sequence[float],
) -> Compared:
    """Compare each lesion with the union of the components that meet it once it is dilated by the rule.

    A component may meet several lesions. A lesion of at most the threshold is not counted, but a component
    that meets it is no false positive either.
    """
    lesions = [_compare(number, found, reference, rule, spacing, tolerances) for number in reference.numbers]
    met = {number for lesion in lesions for number in lesion.met}
    alone = [number for number in found.numbers if number not in met]
    volumes = [volume_of(int(found.sizes[number]), spacing) for number in alone]
    return Compared(tuple(lesions), tuple(zip(alone, volumes, strict=True)))


def _compare(
    number: int,
    found: ComponentMap,
    reference: ComponentMap,
    rule: LesionRule,
    spacing: Vector,
    tolerances: Sequence[float],
) -> Comparison:
    slices = reference.slices_of(number, rule.dilation)
    lesion_xyz = reference.ids_xyz[slices] == number
    found_xyz = found.ids_xyz[slices]
    meeting = np.unique(found_xyz[dilated(lesion_xyz, rule.dilation)])
    met = tuple(int(component) for component in meeting if component)
    volume = volume_of(int(reference.sizes[number]), spacing)
    counted = volume > rule.threshold
    if not met:
        return Comparison(number, volume, counted, met, 0.0, math.inf, (0.0,) * len(tolerances))
    common = int(np.count_nonzero(np.isin(found_xyz[lesion_xyz], met)))
    both = int(reference.sizes[number]) + int(found.sizes[list(met)].sum())
    surfaces = reference.surface_of((number,), spacing), found.surface_of(met, spacing)
    hd95 = SurfaceDistances(*surfaces, spacing).hd95()
    nsd: tuple[float, ...] = ()
    if tolerances:
        distances = BorderDistances(found.border_of(met), reference.border_of((number,)), spacing)
        nsd = tuple(distances.nsd(tolerance, EPSILON) for tolerance in tolerances)
    return Comparison(number, volume, counted, met, 2 * common / both, hd95, nsd)
