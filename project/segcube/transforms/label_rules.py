"""The label map of a case: regions thresholded and changed by rules, painted to labels, then label rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from segcube.core import bounding_box
from segcube.spec.challenges import BACKGROUND, Challenge
from segcube.spec.submission import (
    Connectivity,
    Fill,
    KeepComponents,
    LargestComponent,
    Nest,
    ReplaceSmall,
    Retry,
    Rule,
    Threshold,
    Write,
)
from segcube.transforms.morphology import Components, fill_holes, find_components, largest_component
from segcube.transforms.probabilities import (
    Probabilities,
    component_means,
    highest,
    label_indices,
    region_masks,
)


def label_map(probabilities: Probabilities, rules: Sequence[Rule], challenge: Challenge) -> np.ndarray:
    """Decide the label of every voxel: (X, Y, Z) of the smallest unsigned type that holds the labels.

    Regions are thresholded, changed by the rules on regions and painted in the order of the write rule, or
    of the challenge where there is none; of labels the most probable is taken. The rules on labels follow.
    The names in the rules are checked when the submission is read.
    """
    values = challenge.labels
    dtype = np.min_scalar_type(max(values.values()))
    if probabilities.kind == "labels":
        indices_xyz = label_indices(probabilities)
        value_of_index = np.array([values[name] for name in probabilities.names], dtype=dtype)
        unchanged = (value_of_index == np.arange(len(value_of_index))).all()
        labels_xyz = indices_xyz.astype(dtype, copy=False) if unchanged else value_of_index[indices_xyz]
    else:
        labels_xyz = np.full(probabilities.shape, values[BACKGROUND], dtype=dtype)
        masks = decide_regions(probabilities, rules)
        for region, label in _order(rules, challenge):
            if region in masks:
                labels_xyz[masks[region]] = values[label]
    for rule in rules:
        labels_xyz = _apply(rule, labels_xyz, values)
    return labels_xyz


def _order(rules: Sequence[Rule], challenge: Challenge) -> list[tuple[str, str]]:
    written = next((rule for rule in rules if isinstance(rule, Write)), None)
    return [(paint.region, paint.label) for paint in (written.order if written else challenge.write)]


def _apply(rule: Rule, labels_xyz: np.ndarray, values: Mapping[str, int]) -> np.ndarray:
    match rule:
        case LargestComponent():
            chosen = [values[label] for label in rule.labels]
            for group in [chosen] if rule.together else [[value] for value in chosen]:
                labels_xyz = keep_largest(labels_xyz, group, values[BACKGROUND], rule.connectivity)
            return labels_xyz
        case ReplaceSmall():
            return replace_small(labels_xyz, values[rule.label], values[rule.with_], rule.below)
        case _:
            return labels_xyz


def keep_components(
    rule: KeepComponents,
    mask_xyz: np.ndarray,
    objects_xyz: np.ndarray | None,
    probabilities: Probabilities,
) -> np.ndarray:
    """Remove the components of a region's mask that the rule does not keep: a new mask.

    objects_xyz: the mask of the region in `unless_holds`, after the rules before this one.
    """
    box = bounding_box(mask_xyz if objects_xyz is None else mask_xyz | objects_xyz)
    components = find_components(mask_xyz, rule.connectivity, box)
    means = None
    if rule.min_mean_probability > 0 and components.sizes.max() >= rule.min_voxels:
        means = component_means(probabilities, rule.region, components)
    kept = kept_components(components.sizes, means, rule)
    if rule.unless_holds is not None and objects_xyz is not None:
        objects = find_components(objects_xyz, rule.connectivity, box)
        kept |= holders(components, objects, rule.unless_holds.share)
    return components.mask(kept, probabilities.shape)


def kept_components(sizes: np.ndarray, means: np.ndarray | None, rule: KeepComponents) -> np.ndarray:
    """Choose the components with enough voxels and a high enough mean, of these the `max_count` largest.

    sizes, means: one an id. Of equal sizes the lower id is chosen. Returns one bool an id.
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

    Both on the same box. A component without a voxel of any object holds none. Returns one bool an id.
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

    Rules on labels are ignored. Thresholds apply first, wherever they are in the list.
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
    """Add each mask to the next one, the innermost first: new masks."""
    nested = [masks[0]]
    for mask_xyz in masks[1:]:
        nested.append(nested[-1] | mask_xyz)
    return nested


def retry(rule: Retry, mask_xyz: np.ndarray, probabilities: Probabilities) -> np.ndarray:
    """Threshold an empty region at a share of its highest probability; with a highest of 0 it stays empty."""
    if mask_xyz.any():
        return mask_xyz
    top = highest(probabilities, rule.region)
    return region_masks(probabilities, {rule.region: rule.factor * top}, [rule.region])[0]


def keep_largest(
    labels_xyz: np.ndarray, values: Sequence[int], background: int, connectivity: Connectivity
) -> np.ndarray:
    """Set all but the largest component of some labels, taken together, to background."""
    mask_xyz = np.isin(labels_xyz, values)
    lesser_xyz = mask_xyz & ~largest_component(mask_xyz, connectivity)
    return np.where(lesser_xyz, labels_xyz.dtype.type(background), labels_xyz)


def replace_small(labels_xyz: np.ndarray, value: int, other: int, below: int) -> np.ndarray:
    """Replace a label with fewer voxels than `below` in the whole map by another."""
    mask_xyz = labels_xyz == value
    if np.count_nonzero(mask_xyz) >= below:
        return labels_xyz
    return np.where(mask_xyz, labels_xyz.dtype.type(other), labels_xyz)
