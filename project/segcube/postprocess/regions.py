"""Regions: thresholds, then the rules that act on their masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segcube.postprocess.keep import keep_components
from segcube.postprocess.probabilities import Probabilities, highest, region_mask, region_masks
from segcube.preprocess import fill_holes
from segcube.submission import Fill, KeepComponents, Nest, Retry, Rule, Threshold


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
