"""A stage's probabilities, read slab by slab: no volume of them is ever held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Protocol

import numpy as np

from segcube.postprocess.components import Components
from segcube.preprocess import Box, beside, to_host
from segcube.types import Array, Shape

HALF = 0.5


class Probabilities(Protocol):
    """Probabilities on the native grid that can be gone through more than once."""

    @property
    def names(self) -> tuple[str, ...]:
        """Regions, or labels with the background first."""
        ...

    @property
    def kind(self) -> Literal["regions", "labels"]:
        """regions that may overlap, or labels that exclude each other."""
        ...

    @property
    def shape(self) -> Shape:
        """Native voxels along x, y and z."""
        ...

    def slabs(self) -> Iterator[tuple[Box, Array]]:
        """Boxes apart from each other with their probabilities, (K, *box.shape) of numpy or torch.

        What lies in none of them is background for certain.
        """
        ...

    def indices(self) -> Iterator[tuple[Box, Array]]:
        """The same boxes with the channel of each voxel's most probable label, the first of equals.

        (*box.shape), smallest unsigned type.
        """
        ...


def region_masks(probabilities: Probabilities, thresholds: Mapping[str, float]) -> np.ndarray:
    """Where each region's probability lies above its bound: (K, X, Y, Z) bool, K as in `names`.

    Regions without a bound take 0.5.
    """
    masks_kxyz = np.zeros((len(probabilities.names), *probabilities.shape), dtype=bool)
    for place, slab_kxyz in probabilities.slabs():
        for index, name in enumerate(probabilities.names):
            above_xyz = slab_kxyz[index] > thresholds.get(name, HALF)
            masks_kxyz[(index, *place.slices)] = to_host(above_xyz)
    return masks_kxyz


def region_mask(probabilities: Probabilities, region: str, threshold: float) -> np.ndarray:
    """Where one region's probability lies above a bound: (X, Y, Z) bool."""
    index = probabilities.names.index(region)
    mask_xyz = np.zeros(probabilities.shape, dtype=bool)
    for place, slab_kxyz in probabilities.slabs():
        mask_xyz[place.slices] = to_host(slab_kxyz[index] > threshold)
    return mask_xyz


def label_indices(probabilities: Probabilities) -> np.ndarray:
    """The channel of each voxel's most probable label: (X, Y, Z), smallest unsigned type.

    The first of equals; where nothing is told the first of all, the background.
    """
    smallest = np.min_scalar_type(len(probabilities.names) - 1)
    indices_xyz = np.zeros(probabilities.shape, dtype=smallest, order="F")
    for place, slab_xyz in probabilities.indices():
        indices_xyz[place.slices] = to_host(slab_xyz)
    return indices_xyz


def highest(probabilities: Probabilities, region: str) -> float:
    """The highest probability of a region."""
    index = probabilities.names.index(region)
    return max((float(slab_kxyz[index].max()) for _, slab_kxyz in probabilities.slabs()), default=0.0)


def component_means(probabilities: Probabilities, region: str, components: Components) -> np.ndarray:
    """Mean probability of a region within each component: (count + 1,), 0 for the background (id 0)."""
    index = probabilities.names.index(region)
    sums = np.zeros(components.sizes.shape)
    for place, slab_kxyz in probabilities.slabs():
        shared = place.meet(components.box)
        ids_xyz = shared.inside(components.box).apply(components.ids_xyz)
        slab_xyz = shared.inside(place).apply(slab_kxyz[index])
        inside_xyz = ids_xyz > 0
        values = to_host(slab_xyz[beside(inside_xyz, slab_xyz)])
        sums += np.bincount(ids_xyz[inside_xyz], weights=values, minlength=len(sums))
    return sums / np.maximum(components.sizes, 1)
