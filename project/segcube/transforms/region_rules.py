"""Regions and the rules that decide them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segcube.core import mask_box
from segcube.spec.submission import Fill, KeepComponents, Nest, Retry, Rule, Threshold
from segcube.transforms.morphology import Components, fill_holes, find_components
from segcube.transforms.probabilities import (
    Probabilities,
    component_means,
    highest,
    region_mask,
    region_masks,
)


def keep_components(
    rule: KeepComponents,
    mask_xyz: np.ndarray,
    objects_xyz: np.ndarray | None,
    probabilities: Probabilities,
) -> np.ndarray:
    """Keep the components of a region's mask that the rule finds worthy: a new mask.

    objects_xyz: the mask of the region in `unless_holds`, as the rules so far left it.
    """
    box = mask_box(mask_xyz if objects_xyz is None else mask_xyz | objects_xyz)
    components = find_components(mask_xyz, rule.connectivity, box)
    means = None
    if rule.min_mean_probability > 0 and components.sizes.max() >= rule.min_voxels:
        means = component_means(probabilities, rule.region, components)
    kept = worthy(components.sizes, means, rule)
    if rule.unless_holds is not None and objects_xyz is not None:
        objects = find_components(objects_xyz, rule.connectivity, box)
        kept |= holders(components, objects, rule.unless_holds.share)
    return components.mask(kept, probabilities.shape)


def worthy(sizes: np.ndarray, means: np.ndarray | None, rule: KeepComponents) -> np.ndarray:
    """Choose the components of enough voxels and a high enough mean, of these the `max_count` largest.

    sizes, means: an id each. Of equal sizes the lower id is chosen. Returns one bool an id.
    """
    kept = sizes >= max(rule.min_voxels, 1)
    if means is not None:
        kept &= means >= rule.min_mean_probability
    if rule.max_count is not None:
        chosen = np.flatnonzero(kept)
        smaller = chosen[np.argsort(-sizes[chosen], kind="stable")][rule.max_count :]
        kept[smaller] = False
    return kept


def holders(components: Components, objects: Components, share: float) -> np.ndarray:
    """Find the components that hold at least `share` of the voxels of any of the objects.

    Both on the same box. A component that meets no object holds none. Returns one bool an id.
    """
    inside_xyz = objects.ids_xyz > 0
    object_ids = objects.ids_xyz[inside_xyz].astype(np.int64)
    ids = components.ids_xyz[inside_xyz].astype(np.int64)
    pairs, voxels = np.unique(ids * len(objects.sizes) + object_ids, return_counts=True)
    held = pairs[voxels >= share * objects.sizes[pairs % len(objects.sizes)]]
    holds = np.zeros(components.sizes.shape, dtype=bool)
    holds[held // len(objects.sizes)] = True
    holds[0] = False
    return holds


def decide_regions(probabilities: Probabilities, rules: Sequence[Rule]) -> dict[str, np.ndarray]:
    """Threshold the regions, then apply the rules on regions in their order; a mask (X, Y, Z) a name.

    Rules on labels are passed over. Thresholds count from the start, wherever they stand.
    """
    thresholds = {name: at for rule in rules if isinstance(rule, Threshold) for name, at in rule.at.items()}
    masks = dict(zip(probabilities.names, region_masks(probabilities, thresholds), strict=True))
    for rule in rules:
        match rule:
            case KeepComponents():
                objects_xyz = masks[rule.unless_holds.region] if rule.unless_holds else None
                masks[rule.region] = keep_components(rule, masks[rule.region], objects_xyz, probabilities)
            case Nest():
                masks |= zip(rule.order, nest([masks[name] for name in rule.order]), strict=True)
            case Fill():
                masks |= {name: fill_holes(masks[name]) for name in rule.regions}
            case Retry():
                masks[rule.region] = retry(rule, masks[rule.region], probabilities)
            case _:
                pass
    return masks


def nest(masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Join each mask into the next one, the innermost first: new masks."""
    nested = [masks[0]]
    for mask_xyz in masks[1:]:
        nested.append(nested[-1] | mask_xyz)
    return nested


def retry(rule: Retry, mask_xyz: np.ndarray, probabilities: Probabilities) -> np.ndarray:
    """Threshold an empty region at a share of its highest probability; where that is 0 it stays empty."""
    if mask_xyz.any():
        return mask_xyz
    top = highest(probabilities, rule.region)
    return region_mask(probabilities, rule.region, rule.factor * top)
