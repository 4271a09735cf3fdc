"""What a backend offers: arrays on a device, and networks that run there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from segcube.backends.members import MemberFile
from segcube.backends.onto import Onto
from segcube.types import Array, Shape


class DeviceMemoryError(Exception):
    """The device has too little memory for what was asked; a leaner way may do."""


class Network(Protocol):
    """A member's weights on a device."""

    def __call__(self, batch_ncxyz: Array) -> Array:
        """Logits (N, K, X, Y, Z), float32, on the same device; they stand until the next call.

        Raises DeviceMemoryError.
        """
        ...


@runtime_checkable
class AddingNetwork(Protocol):
    """One on the host that can add what it says of a window to a sum as it makes it."""

    def add(self, window_ncxyz: np.ndarray, onto: Onto) -> None:
        """Add it, of one window, to a part of a sum that fits. Raises DeviceMemoryError."""
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
        """One network that gives sum_m weight_mk * logits_m; None where nothing is gained by that.

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
        """The array on the host; no copy where it is there already."""
        ...

    def release(self) -> None:
        """Give back memory that is cached and not in use."""
        ...

    def in_full_precision(self) -> Backend:
        """The same device in fp32, for a case whose half-precision result is not finite."""
        ...
