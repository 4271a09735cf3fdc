"""Where a case's arrays are, and what to try next when a device has too little memory for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from segcube.backends import Backend
from segcube.core import Array, Shape, count_of

CUDA_BATCH = 4


@dataclass(frozen=True)
class Workspace:
    """A backend, how many windows run on it at once, and where the accumulators are."""

    backend: Backend
    batch: int = 1
    sum_on_host: bool = False

    def zeros(self, channels: int, shape: Shape) -> Array:
        """An accumulator (channels, *shape), float32. Raises DeviceMemoryError."""
        if self.sum_on_host:
            return np.zeros((channels, *shape), dtype=np.float32)
        return self.backend.zeros(channels, shape)

    def upload(self, array: np.ndarray) -> Array:
        """A host array where the accumulators are, float32. Raises DeviceMemoryError."""
        array = array.astype(np.float32, copy=False)
        return array if self.sum_on_host else self.backend.upload(array)

    def place(self, array: Array) -> Array:
        """An array of the device where the accumulators are."""
        return self.backend.download(array) if self.sum_on_host else array

    def __str__(self) -> str:
        where = "the host" if self.sum_on_host else self.backend.device
        return f"{count_of(self.batch, 'window')} at once on {self.backend.device}, accumulator on {where}"


def workspaces(backend: Backend) -> Iterator[Workspace]:
    """Workspaces to try on a backend's device, from the fastest to that of the least memory."""
    if backend.device == "cpu":
        yield Workspace(backend)
        return
    batch = CUDA_BATCH
    while batch >= 1:
        yield Workspace(backend, batch)
        batch //= 2
    yield Workspace(backend, sum_on_host=True)
