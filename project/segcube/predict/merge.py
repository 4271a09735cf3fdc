"""A stage's branches merged on the native grid, slab by slab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial, reduce
from math import prod
from operator import add
from typing import Literal

import numpy as np
from array_api_compat import device

from segcube.predict.activate import activate, certain_background
from segcube.preprocess import Box, Placement, array_namespace, beside, mask_box, to_host
from segcube.threads import made_ahead
from segcube.types import Array, Shape

SLAB_BYTES = 2**22
"""What a core keeps close."""


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

    @property
    def box(self) -> Box:
        """The native box around which all is background for certain; without a voxel where that is all."""
        nothing = Box((0, 0, 0), (0, 0, 0))
        boxes = [part.placement.native_box.moved(self.frame.start) for part in self.parts]
        found = reduce(Box.join, boxes) if boxes else nothing
        if self.gate_xyz is None:
            return found
        return found.meet(mask_box(self.gate_xyz) or nothing)

    def slabs(self) -> Iterator[tuple[Box, Array]]:
        """Boxes of native voxels with their probabilities (K, *box.shape), float32.

        Outside of them all is background for certain; none at all where that is everything.
        """
        return self._slabs(activated=self.merge == "logits")

    def scores(self) -> Iterator[tuple[Box, Array]]:
        """The same boxes, with logits for probabilities where the stage merges those.

        Labels have the order of their probabilities in them, and none as high as another by rounding.
        """
        return self._slabs(activated=False)

    def _slabs(self, activated: bool) -> Iterator[tuple[Box, Array]]:
        box = self.box
        if 0 in box.shape:
            return
        # Along the axis whose slabs lie in one piece in memory
        axis = self.parts[0].placement.orientation.permutation[0]
        length = box.shape[axis]
        thickness = max(1, SLAB_BYTES * length // (4 * len(self.names) * prod(box.shape)))
        starts = range(0, length, thickness)
        places = [box.slab(axis, start, min(start + thickness, length)) for start in starts]
        on_host = all(isinstance(part.values_kxyz, np.ndarray) for part in self.parts)
        make = partial(self._slab, activated)
        made = made_ahead(make, places) if on_host else map(make, places)
        yield from zip(places, made, strict=True)

    def _slab(self, activated: bool, place: Box) -> Array:
        inside_kxyz = self._inside(place.inside(self.frame))
        if activated:
            inside_kxyz = activate(inside_kxyz, self.kind)
        if self.gate_xyz is None:
            return inside_kxyz
        kept = "probabilities" if activated else self.merge
        background_k = certain_background(self.kind, len(self.names), kept)
        gate_xyz = beside(place.apply(self.gate_xyz), inside_kxyz)
        background = beside(background_k[:, None, None, None], inside_kxyz)
        return array_namespace(inside_kxyz).where(gate_xyz[None], inside_kxyz, background)

    def _inside(self, place: Box) -> Array:
        outside_k = certain_background(self.kind, len(self.names), self.merge)
        slabs = [
            part.placement.restore(part.values_kxyz, place, list(outside_k * part.share_k))
            for part in self.parts
        ]
        # A branch that had to step down to another device lies elsewhere than the others
        if len({str(device(slab)) for slab in slabs}) > 1:
            slabs = [to_host(slab) for slab in slabs]
        return reduce(add, slabs)
