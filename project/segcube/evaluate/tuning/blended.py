"""Members' probabilities by their weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segcube.postprocess import first_highest
from segcube.preprocess import Box
from segcube.types import Shape


@dataclass(frozen=True)
class Blended:
    """Probabilities in memory, as the rules take them."""

    names: tuple[str, ...]
    kind: Literal["regions", "labels"]
    values_kxyz: np.ndarray

    @property
    def shape(self) -> Shape:
        x, y, z = self.values_kxyz.shape[1:]
        return x, y, z

    def slabs(self) -> Iterator[tuple[Box, np.ndarray]]:
        yield Box((0, 0, 0), self.shape), self.values_kxyz

    def indices(self) -> Iterator[tuple[Box, np.ndarray]]:
        yield Box((0, 0, 0), self.shape), first_highest(self.values_kxyz)
