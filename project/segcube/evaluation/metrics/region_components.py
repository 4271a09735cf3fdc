"""The connected components of each region of a case, by the rules of a BraTS edition."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np

from segcube.evaluation.metrics.components import ComponentMap, component_map
from segcube.evaluation.metrics.pair import Pair
from segcube.spec.challenges import Challenge, LesionRule, LesionWise

STEPS = [step for step in product((-1, 0, 1), repeat=3) if sum(map(abs, step)) <= 2]
"""From a voxel to itself and to its 18 neighbours."""

Sides = tuple[ComponentMap, ComponentMap]
"""Components of the prediction and lesions of the reference."""


def find_region_components(
    pair: Pair, challenge: Challenge, metrics: LesionWise, regions: Iterable[str]
) -> dict[str, Sides]:
    """Find the components of the prediction and the lesions of the reference for each region.

    On either side, components that touch the same component of a tissue in `relabel_touching` are united.
    """
    tissues: dict[str, Sides] = {}
    found: dict[str, Sides] = {}
    for region in regions:
        rule = metrics.regions[region]
        touched = metrics.relabel_touching.get(region, ())
        # A touched tissue that is not scored itself has the dilation and threshold of the region
        rules = {region: rule} | {name: metrics.regions.get(name, rule) for name in touched}
        for name in [name for name in rules if name not in tissues]:
            values = challenge.region_values(region) if name == region else [challenge.labels[name]]
            masks = pair.masks(values)
            tissues[name] = _tissue(*masks, rules[name], metrics, pair.voxel_volume)
        prediction, reference = tissues[region]
        for name in touched:
            prediction = unite_touching(prediction, tissues[name][0])
            reference = unite_touching(reference, tissues[name][1])
        if touched:
            prediction, reference = prediction.renumbered(), reference.renumbered()
        found[region] = prediction, reference
    return found


def touching_pairs(components: ComponentMap, others: ComponentMap) -> list[tuple[int, int]]:
    """Number of each component and of each other one that it touches by a face or an edge, sorted."""
    if components.is_empty or others.is_empty:
        return []
    points = components.border()
    numbers = components.ids_xyz[tuple(points.T)].astype(np.int64) * len(others.sizes)
    padded_xyz = np.pad(others.ids_xyz, 1)
    strides = np.array([padded_xyz.shape[1] * padded_xyz.shape[2], padded_xyz.shape[2], 1])
    places = (points + 1) @ strides
    pairs: set[int] = set()
    for step in STEPS:
        met = padded_xyz.ravel()[places + int(strides @ step)]
        pairs.update(np.unique((numbers + met)[met > 0]).tolist())
    return sorted(divmod(pair, len(others.sizes)) for pair in pairs)


def unite_touching(components: ComponentMap, others: ComponentMap) -> ComponentMap:
    """Unite the components that touch the same component of another tissue.

    A component joins the lowest-numbered one that it touches; components that touch none stay as they are.
    Fewer than two touching pairs change nothing. United components get numbers above all earlier ones.
    """
    pairs = touching_pairs(components, others)
    if len(pairs) < 2:
        return components
    above = len(components.sizes)
    fresh: dict[int, int] = {}
    number_of = np.arange(above, dtype=np.int64)
    for _, other in pairs:
        fresh.setdefault(other, above + len(fresh))
    # Backwards, so that the lowest of several decides
    for number, other in reversed(pairs):
        number_of[number] = fresh[other]
    return components.relabelled(number_of)


def _tissue(
    found_xyz: np.ndarray,
    reference_xyz: np.ndarray,
    rule: LesionRule,
    metrics: LesionWise,
    voxel_volume: float,
) -> Sides:
    found = component_map(found_xyz, rule.dilation if metrics.join_predictions else 0)
    if metrics.drop_predictions == "voxels":
        found = found.larger_than(rule.threshold)
    elif metrics.drop_predictions == "mm3":
        found = found.larger_than(rule.threshold / voxel_volume)
    return found, component_map(reference_xyz, rule.dilation)
