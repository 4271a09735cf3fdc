"""Probabilities by channel, and the first highest of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Protocol

import numpy as np

from segcube.core import Array, Box, Shape, array_namespace, beside, in_slabs, to_host
from segcube.transforms.morphology import Components

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


def first_highest(values_kxyz: Array) -> Array:
    """The channel of each voxel's highest value, the first of equals: (X, Y, Z), smallest unsigned type.

    Channel after channel, for numpy's argmax takes many times as long along the first axis.
    """
    xp = array_namespace(values_kxyz)
    smallest = np.min_scalar_type(len(values_kxyz) - 1)
    indices_xyz = xp.zeros_like(values_kxyz[0], dtype=getattr(xp, smallest.name))
    # Slabs of what may be a view of turned axes, each in one piece
    axes = _as_they_lie(values_kxyz[0])
    channels, indices = (
        [xp.permute_dims(channel, axes) for channel in values_kxyz],
        xp.permute_dims(indices_xyz, axes),
    )

    def look(slab: slice) -> None:
        highest = channels[0][slab]
        for index, channel in enumerate(channels[1:], 1):
            above = xp.astype(channel[slab] > highest, indices.dtype)
            # The last to rise above all before it is the highest of all; `where` takes five times as long
            indices[slab] = xp.maximum(indices[slab], above * index)
            highest = xp.maximum(highest, channel[slab])

    in_slabs(look, channels[0])
    return indices_xyz


def _as_they_lie(array_xyz: Array) -> tuple[int, ...]:
    """Axes in the order in which they lie in memory; on another device than the host as they are."""
    if not isinstance(array_xyz, np.ndarray):
        return (0, 1, 2)
    return tuple(sorted(range(3), key=lambda axis: -abs(array_xyz.strides[axis])))
