"""The most probable label of each voxel."""

from __future__ import annotations

import numpy as np

from segcube.preprocess import array_namespace
from segcube.slabs import in_slabs
from segcube.types import Array


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
