"""Where windows are added: a part of a sum, what each channel has to say there, how much a voxel counts."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from segcube.backends.native_told import OntoTold, Strides, address


@dataclass(frozen=True)
class Onto:
    """A part of a sum, as large as the windows that are added to it."""

    sum_kxyz: np.ndarray
    """float32; changed in place."""
    say_k: np.ndarray
    """What a channel is multiplied by before it is added."""
    weight_xyz: np.ndarray | None = None
    """The same of a voxel, float32; None for ones."""

    def turned(self, axes: Sequence[int]) -> Onto:
        """The same for windows that are turned round along some of x, y and z as 0, 1 and 2."""
        if not axes:
            return self
        sum_kxyz = np.flip(self.sum_kxyz, tuple(axis + 1 for axis in axes))
        weight_xyz = None if self.weight_xyz is None else np.flip(self.weight_xyz, tuple(axes))
        return replace(self, sum_kxyz=sum_kxyz, weight_xyz=weight_xyz)

    def saying(self, weight_k: np.ndarray) -> Onto:
        """The same for windows whose channels are multiplied by weights of their own as well."""
        return replace(self, say_k=self.say_k * weight_k)

    @property
    def fits(self) -> bool:
        """Whether our kernels add to it: rows of floats in one piece, the weights' the same way round."""
        weights = [] if self.weight_xyz is None else [self.weight_xyz]
        return lies_in_rows(self.sum_kxyz) and all(
            lies_in_rows(array) and array.strides[-1] == self.sum_kxyz.strides[-1] for array in weights
        )

    def told(self) -> OntoTold:
        """What a kernel is told of it."""
        assert self.fits, "asked before"
        say = (ctypes.c_float * len(self.say_k))(*self.say_k.tolist())
        places = strides_of(self.sum_kxyz), strides_of(self.weight_xyz)
        step = 1 if self.sum_kxyz.strides[-1] > 0 else -1
        return OntoTold(address(self.sum_kxyz), address(self.weight_xyz), say, *places, step)


def lies_in_rows(array: np.ndarray) -> bool:
    """Whether rows are floats in one piece, perhaps the last one first."""
    return array.dtype == np.float32 and abs(array.strides[-1]) == array.itemsize


def strides_of(array: np.ndarray | None) -> ctypes.Array[ctypes.c_int64]:
    """From one channel, plane and row to the next, in floats; of none there is no channel."""
    strides = () if array is None else tuple(stride // array.itemsize for stride in array.strides[:-1])
    return Strides(*(0,) * (3 - len(strides)), *strides)
