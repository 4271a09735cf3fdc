from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from segcube.core import Box
from segcube.transforms import argmax


@dataclass(frozen=True)
class Held:
    """Probabilities in memory, handed out two rows at a time."""

    names: tuple[str, ...]
    kind: str
    values_kxyz: Any

    @property
    def shape(self):
        return tuple(self.values_kxyz.shape[1:])

    def slabs(self):
        for start in range(0, self.shape[0], 2):
            place = Box((start, 0, 0), (min(start + 2, self.shape[0]), *self.shape[1:]))
            yield place, self.values_kxyz[(slice(None), *place.slices)]

    def indices(self):
        for place, slab_kxyz in self.slabs():
            yield place, argmax(slab_kxyz)


@pytest.fixture(params=["numpy", "torch"])
def array(request):
    """Make an array of each library from numpy."""
    return np.array if request.param == "numpy" else pytest.importorskip("torch").tensor


@pytest.fixture
def regions(array):
    """Make probabilities of regions: a nested list along x a name, on a grid of one row."""

    def make(**values):
        stacked = np.array([np.reshape(v, (-1, 1, 1)) for v in values.values()], dtype=np.float32)
        return Held(tuple(values), "regions", array(stacked))

    return make


@pytest.fixture
def labels(array):
    """Make probabilities of labels in the same way."""

    def make(**values):
        stacked = np.array([np.reshape(v, (-1, 1, 1)) for v in values.values()], dtype=np.float32)
        return Held(tuple(values), "labels", array(stacked))

    return make


@pytest.fixture
def row():
    """Make a mask or map (n, 1, 1) from a row of digits, such as 0110."""
    return lambda digits: np.array([int(digit) for digit in digits], dtype=np.uint8).reshape(-1, 1, 1)


@pytest.fixture
def mask(row):
    """Make a mask (n, 1, 1) from a row of 0 and 1."""
    return lambda digits: row(digits).astype(bool)


@pytest.fixture
def digits():
    """Write a mask or map of one row as digits again."""
    return lambda array_xyz: "".join(str(int(value)) for value in array_xyz.ravel())
