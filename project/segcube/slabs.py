"""Volumes slab by slab along x, in a few threads, so that what is computed on the way stays close to one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from segcube.threads import in_threads
from segcube.types import Array

SLAB_BYTES = 2**20
"""What a core keeps close; Python hands its lock from thread to thread at every step of a smaller one."""


def in_slabs(task: Callable[[slice], None], channel_xyz: Array) -> None:
    """Do a task once for each slab of a volume; on another device than the host for all of it at once.

    The slabs must not touch the same voxels.
    """
    in_threads(task, _slabs(channel_xyz))


def sum_of_slabs(function: Callable[[slice], float], channel_xyz: Array) -> float:
    """The sum of what a function says of each slab, put together in one order."""
    slabs = _slabs(channel_xyz)
    found = [0.0] * len(slabs)

    def look(index: int) -> None:
        found[index] = function(slabs[index])

    in_threads(look, range(len(slabs)))
    return sum(found)


def _slabs(channel_xyz: Array) -> list[slice]:
    length, y, z = channel_xyz.shape
    if not isinstance(channel_xyz, np.ndarray):
        return [slice(0, length)]
    thickness = max(1, SLAB_BYTES // (channel_xyz.itemsize * max(1, y * z)))
    return [slice(first, first + thickness) for first in range(0, length, thickness)]
