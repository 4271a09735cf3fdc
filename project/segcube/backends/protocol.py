"""The protocols of backends: a backend loads networks and runs windows through them on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from segcube.core import Array, Shape
from segcube.spec.submission import MemberFile


@dataclass(frozen=True)
class AccumulatorView:
    """A view of part of a sum, of the size of the windows that are added to it."""

    sum_kxyz: np.ndarray
    """float32; changed in place."""
    channel_weights: np.ndarray
    """(K): factors of the channels that are added."""
    weight_xyz: np.ndarray | None = None
    """(X, Y, Z), float32: factors of the voxels that are added; None for ones."""

    def mirrored(self, axes: Sequence[int]) -> AccumulatorView:
        """The view for windows that are mirrored along some of the axes x, y and z (0, 1 and 2)."""
        if not axes:
            return self
        sum_kxyz = np.flip(self.sum_kxyz, tuple(axis + 1 for axis in axes))
        weight_xyz = None if self.weight_xyz is None else np.flip(self.weight_xyz, tuple(axes))
        return replace(self, sum_kxyz=sum_kxyz, weight_xyz=weight_xyz)

    def scaled(self, weight_k: np.ndarray) -> AccumulatorView:
        """The view with its channel weights multiplied by others."""
        return replace(self, channel_weights=self.channel_weights * weight_k)


class Network(Protocol):
    """A member's weights on a device."""

    def __call__(self, batch_ncxyz: Array) -> Array:
        """Logits (N, K, X, Y, Z), float32, on the same device; valid until the next call.

        Raises DeviceMemoryError.
        """
        ...


@runtime_checkable
class AccumulatingNetwork(Protocol):
    """A network on the host that can add its logits to an accumulator while it computes them."""

    def add(self, window_ncxyz: np.ndarray, view: AccumulatorView) -> None:
        """Add the logits of one window to an accumulator of its size. Raises DeviceMemoryError."""
        ...


class Backend(Protocol):
    """A device and the library that drives it."""

    name: str
    device: str
    precision: str
    reason: str
    """Why this backend, device and precision, in one line."""

    def load(self, member: MemberFile) -> Network:
        """The network of a weights file, read and checked once a run.

        Raises EnvironmentFault for a file that is missing, changed or not finite, or does not fit its branch.
        """
        ...

    def join(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> Network | None:
        """One network that gives sum_m weight_mk * logits_m; None where that saves nothing.

        Raises EnvironmentFault as load does.
        """
        ...

    def upload(self, array: np.ndarray) -> Array:
        """The array on the device. Raises DeviceMemoryError."""
        ...

    def zeros(self, channels: int, shape: Shape) -> Array:
        """A float32 accumulator (channels, *shape) on the device. Raises DeviceMemoryError."""
        ...

    def download(self, array: Array) -> np.ndarray:
        """The array on the host; no copy if it is already there."""
        ...

    def release(self) -> None:
        """Free memory that is cached and not in use."""
        ...

    def in_fp32(self) -> Backend:
        """The same device in fp32, for a case whose half-precision result is not finite."""
        ...
