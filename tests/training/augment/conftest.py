from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from segcube.training.cache import CaseTensors
from segcube.training.patches import OUTSIDE


def random_case(shape=(9, 10, 11), channels=2, labels=3, seed=0) -> CaseTensors:
    """Half-precision noise, and blocks of labels."""
    rng = np.random.default_rng(seed)
    image = rng.standard_normal((channels, *shape)).astype(np.float16)
    blocks = rng.integers(0, labels, [math.ceil(size / 3) for size in shape], dtype=np.uint8)
    label = blocks.repeat(3, 0).repeat(3, 1).repeat(3, 2)[tuple(slice(size) for size in shape)]
    present = tuple(int(value) for value in np.unique(label))
    return CaseTensors(torch.from_numpy(image), torch.from_numpy(label.copy()), present)


def plain_linear(volume_xyz: np.ndarray, point: Sequence[float], border: str, beyond: float = 0.0) -> float:
    """Linear interpolation at one position, corner by corner."""
    total = 0.0
    for corner in itertools.product((0, 1), repeat=3):
        index = [math.floor(at) + step for at, step in zip(point, corner, strict=True)]
        weight = math.prod(1 - abs(at - place) for at, place in zip(point, index, strict=True))
        if border == "nearest":
            index = [min(max(at, 0), size - 1) for at, size in zip(index, volume_xyz.shape, strict=True)]
        inside = all(0 <= at < size for at, size in zip(index, volume_xyz.shape, strict=True))
        total += weight * (float(volume_xyz[tuple(index)]) if inside else beyond)
    return total


def plain_label(labels_xyz: np.ndarray, point: Sequence[float], border: str) -> tuple[int, float]:
    """The label with the largest share at one position, and by how much its share is larger than the next."""
    values = sorted({*np.unique(labels_xyz).tolist(), OUTSIDE})
    shares = [plain_linear(labels_xyz == value, point, border, float(value == OUTSIDE)) for value in values]
    second, first = sorted(shares)[-2:]
    return values[int(np.argmax(shares))], first - second


@pytest.fixture
def case() -> CaseTensors:
    return random_case()
