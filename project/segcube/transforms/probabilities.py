"""Probabilities on the native grid: masks, label indices, component means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

import numpy as np

from segcube.core import Array, Box, Shape, array_namespace, as_array_like, for_each_slab, to_numpy
from segcube.transforms.morphology import Components

HALF = 0.5


class Probabilities(Protocol):
    """Probabilities on the native grid; each method may be iterated more than once."""

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
        """Disjoint boxes with their probabilities, (K, *box.shape) of numpy or torch.

        All outside of them is certain background.
        """
        ...

    def indices(self) -> Iterator[tuple[Box, Array]]:
        """The same boxes with the channel of each voxel's most probable label, the first of equals.

        (*box.shape), smallest unsigned type.
        """
        ...


def region_masks(
    probabilities: Probabilities, thresholds: Mapping[str, float], names: Sequence[str] = ()
) -> np.ndarray:
    """Where each region's probability is above its threshold: (K, X, Y, Z) bool.

    Regions without a threshold use 0.5. names: of the K regions; none for all in the probabilities' order.
    """
    names = names or probabilities.names
    masks_kxyz = np.zeros((len(names), *probabilities.shape), dtype=bool)
    for place, slab_kxyz in probabilities.slabs():
        for index, name in enumerate(names):
            above_xyz = slab_kxyz[probabilities.names.index(name)] > thresholds.get(name, HALF)
            masks_kxyz[(index, *place.slices)] = to_numpy(above_xyz)
    return masks_kxyz


def label_indices(probabilities: Probabilities) -> np.ndarray:
    """The channel of each voxel's most probable label: (X, Y, Z), smallest unsigned type.

    The first of equals; outside of all slabs channel 0, the background.
    """
    smallest = np.min_scalar_type(len(probabilities.names) - 1)
    indices_xyz = np.zeros(probabilities.shape, dtype=smallest, order="F")
    for place, slab_xyz in probabilities.indices():
        indices_xyz[place.slices] = to_numpy(slab_xyz)
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
        shared = place.intersection(components.box)
        ids_xyz = shared.relative_to(components.box).apply(components.ids_xyz)
        slab_xyz = shared.relative_to(place).apply(slab_kxyz[index])
        inside_xyz = ids_xyz > 0
        values = to_numpy(slab_xyz[as_array_like(inside_xyz, slab_xyz)])
        sums += np.bincount(ids_xyz[inside_xyz], weights=values, minlength=len(sums))
    return sums / np.maximum(components.sizes, 1)


def argmax(values_kxyz: Array) -> Array:
    """The channel of each voxel's highest value, the first of equals: (X, Y, Z), smallest unsigned type.

    Compares channel after channel: numpy's argmax along the first axis takes many times as long.
    """
    xp = array_namespace(values_kxyz)
    smallest = np.min_scalar_type(len(values_kxyz) - 1)
    indices_xyz = xp.zeros_like(values_kxyz[0], dtype=getattr(xp, smallest.name))
    # The array may be a view of permuted axes: slabs along the outermost axis in memory are contiguous
    axes = _memory_order(values_kxyz[0])
    channels, indices = (
        [xp.permute_dims(channel, axes) for channel in values_kxyz],
        xp.permute_dims(indices_xyz, axes),
    )

    def update(slab: slice) -> None:
        highest = channels[0][slab]
        for index, channel in enumerate(channels[1:], 1):
            above = xp.astype(channel[slab] > highest, indices.dtype)
            # The last channel above all before it has the highest value; `where` takes five times as long
            indices[slab] = xp.maximum(indices[slab], above * index)
            highest = xp.maximum(highest, channel[slab])

    for_each_slab(update, channels[0])
    return indices_xyz


def _memory_order(array_xyz: Array) -> tuple[int, ...]:
    """Axes from the outermost to the innermost in memory; unchanged for an array of another device."""
    if not isinstance(array_xyz, np.ndarray):
        return (0, 1, 2)
    return tuple(sorted(range(3), key=lambda axis: -abs(array_xyz.strides[axis])))
