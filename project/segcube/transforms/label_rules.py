"""The label map of a case: regions or labels, then the submission's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from segcube.spec.challenges import BACKGROUND, Challenge
from segcube.spec.submission import Connectivity, LargestComponent, ReplaceSmall, Rule, Write
from segcube.transforms.morphology import largest_component
from segcube.transforms.probabilities import Probabilities, label_indices
from segcube.transforms.region_rules import decide_regions


def keep_largest(
    labels_xyz: np.ndarray, values: Sequence[int], background: int, connectivity: Connectivity
) -> np.ndarray:
    """Turn all but the largest component of labels, taken together, into background.

    Labels that are absent stay so.
    """
    mask_xyz = np.isin(labels_xyz, values)
    lesser_xyz = mask_xyz & ~largest_component(mask_xyz, connectivity)
    return np.where(lesser_xyz, labels_xyz.dtype.type(background), labels_xyz)


def replace_small(labels_xyz: np.ndarray, value: int, other: int, below: int) -> np.ndarray:
    """Turn a label of fewer voxels than `below` in the whole map into another."""
    mask_xyz = labels_xyz == value
    if np.count_nonzero(mask_xyz) >= below:
        return labels_xyz
    return np.where(mask_xyz, labels_xyz.dtype.type(other), labels_xyz)


def label_map(probabilities: Probabilities, rules: Sequence[Rule], challenge: Challenge) -> np.ndarray:
    """Decide the label of every voxel: (X, Y, Z) of the smallest unsigned type that holds the labels.

    Regions are thresholded, changed by the rules on regions and painted in the order of the write rule, or
    of the challenge where there is none; labels go to the most probable one. Then come the rules on labels.
    The names in the rules are those of the probabilities and the challenge: submission.check sees to that.
    """
    values = challenge.labels
    dtype = np.min_scalar_type(max(values.values()))
    if probabilities.kind == "labels":
        indices_xyz = label_indices(probabilities)
        value_of_index = np.array([values[name] for name in probabilities.names], dtype=dtype)
        as_they_are = (value_of_index == np.arange(len(value_of_index))).all()
        labels_xyz = indices_xyz.astype(dtype, copy=False) if as_they_are else value_of_index[indices_xyz]
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
