"""Masks that are small enough to score by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from segcube.spec.challenges import Challenge, load_challenge

SHAPE = (40, 24, 24)


@pytest.fixture
def blocks() -> Callable[..., np.ndarray]:
    """A label map of blocks, each a corner, edges and a label value."""

    def draw(*parts: tuple[tuple[int, int, int], tuple[int, int, int], int], shape=SHAPE) -> np.ndarray:
        labels_xyz = np.zeros(shape, dtype=np.uint8)
        for corner, edges, value in parts:
            slices = tuple(slice(start, start + edge) for start, edge in zip(corner, edges, strict=True))
            labels_xyz[slices] = value
        return labels_xyz

    return draw


@pytest.fixture
def one_region() -> Callable[..., Challenge]:
    """A challenge with the one region `lesion`, label 1, and the metric constants given."""

    def make(**metrics) -> Challenge:
        content = load_challenge("brats2024-men-rt").model_dump()
        content |= {
            "labels": {"background": 0, "lesion": 1},
            "regions": {"lesion": ("lesion",)},
            "scored": ("lesion",),
            "write": ({"region": "lesion", "label": "lesion"},),
            "metrics": metrics,
        }
        return Challenge.model_validate(content)

    return make


@pytest.fixture
def lesionwise(one_region) -> Callable[..., Challenge]:
    """Such a challenge by the rules of 2023, with dilation 3, threshold 50 and penalty 374 by default."""

    def make(dilation: int = 3, threshold: float = 50, **others) -> Challenge:
        rules = {"lesion": {"dilation": dilation, "threshold": threshold}}
        constants = {"profile": "brats2023", "regions": rules, "penalty": 374, "missing_case": 374}
        return one_region(**constants | others)

    return make
