"""A stage's branches merged on the native grid, slab by slab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal

import numpy as np
from array_api_compat import array_namespace, device

from segcube.predict.activate import activate, certain_background
from segcube.preprocess import Box, Placement, beside, to_host
from segcube.types import Array, Shape

SLAB_BYTES = 2**25


@dataclass(frozen=True)
class Part:
    """A branch's share of a stage: its weighted sum, divided by all weights of the stage."""

    placement: Placement
    values_kxyz: Array
    """On the branch's grid."""
    share_k: np.ndarray
    """The branch's weights over all weights of the stage, a channel each."""


@dataclass(frozen=True)
class Merged:
    """A stage's probabilities on the native grid; nothing of full size is held."""

    stage: str
    names: tuple[str, ...]
    kind: Literal["regions", "labels"]
    merge: Literal["probabilities", "logits"]
    shape: Shape
    parts: tuple[Part, ...]
    """None at all: background everywhere."""
    frame: Box
    """The native box that the branches saw; around it all is background."""
    gate_xyz: np.ndarray | None = None
    """Outside it all is background."""

    def slabs(self) -> Iterator[tuple[slice, Array]]:
        """Slabs along x, in order, with their probabilities (K, n, Y, Z), float32."""
        thickness = max(1, SLAB_BYTES // (4 * len(self.names) * self.shape[1] * self.shape[2]))
        for start in range(0, self.shape[0], thickness):
            place = slice(start, min(start + thickness, self.shape[0]))
            yield place, self._slab(place)

    def _slab(self, place: slice) -> Array:
        background_k = certain_background(self.kind, len(self.names), "probabilities")
        size = (place.stop - place.start, *self.shape[1:])
        first, last = max(place.start, self.frame.start[0]), min(place.stop, self.frame.stop[0])
        if not self.parts or first >= last:
            return np.repeat(background_k, np.prod(size)).reshape(-1, *size)
        inside_kxyz = self._inside(first - self.frame.start[0], last - self.frame.start[0])
        around = Box((first - place.start, *self.frame.start[1:]), (last - place.start, *self.frame.stop[1:]))
        slab_kxyz = (
            inside_kxyz if around.shape == size else around.undo(inside_kxyz, size, list(background_k))
        )
        if self.gate_xyz is None:
            return slab_kxyz
        gate_xyz = beside(self.gate_xyz[place], slab_kxyz)
        background = beside(background_k[:, None, None, None], slab_kxyz)
        return array_namespace(slab_kxyz).where(gate_xyz[None], slab_kxyz, background)

    def _inside(self, start: int, stop: int) -> Array:
        outside_k = certain_background(self.kind, len(self.names), self.merge)
        slabs = [
            part.placement.restore(part.values_kxyz, start, stop, list(outside_k * part.share_k))
            for part in self.parts
        ]
        # A branch that had to step down to another device lies elsewhere than the others
        if len({str(device(slab)) for slab in slabs}) > 1:
            slabs = [to_host(slab) for slab in slabs]
        sum_kxyz = reduce(add, slabs)
        return activate(sum_kxyz, self.kind) if self.merge == "logits" else sum_kxyz
