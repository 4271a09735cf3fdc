"""Keep the components of a region that are large and sure enough."""

from __future__ import annotations

import numpy as np

from segcube.postprocess.components import Components, find_components
from segcube.postprocess.probabilities import Probabilities, component_means
from segcube.preprocess import mask_box
from segcube.submission import KeepComponents


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
