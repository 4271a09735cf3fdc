"""The output of a stage: its branches merged on the native grid, slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from math import prod
from operator import add
from typing import Literal

import numpy as np
from array_api_compat import device

from segcube.core import (
    SLAB_BYTES,
    Array,
    Box,
    Clock,
    Shape,
    array_namespace,
    as_array_like,
    bounding_box,
    prefetch,
    to_numpy,
)
from segcube.inference.activation import activate, certain_background
from segcube.spec.submission import Member
from segcube.transforms import Placement, argmax

DEVICE_SLAB_BYTES = 2**25
"""Each slab waits for the device, whose memory holds few of this size."""


@dataclass(frozen=True)
class BranchOutput:
    """A branch's share of its stage: the weighted sum of its members, divided by all weights of the stage."""

    placement: Placement
    values_rxyz: Array
    """On the branch's grid."""
    share_r: np.ndarray
    """The branch's weights over all weights of the stage, (R,)."""
    members: tuple[tuple[Member, BranchOutput], ...] = ()
    """Each member's own output, where it was requested."""


@dataclass(frozen=True)
class BranchLabels:
    """The labels of a stage's only branch, where only they were needed; probabilities are not kept."""

    placement: Placement
    indices_xyz: np.ndarray
    """On the branch's grid, the channel of each voxel's label."""


@dataclass(frozen=True)
class StageOutput:
    """A stage's probabilities, or its labels alone, on the native grid; computed slab by slab on request."""

    stage: str
    names: tuple[str, ...]
    kind: Literal["regions", "labels"]
    merge: Literal["probabilities", "logits"]
    shape: Shape
    branches: tuple[BranchOutput | BranchLabels, ...]
    """Of each branch; without any, all is background."""
    frame: Box
    """The native box that the branches were given; around it all is background."""
    gate_xyz: np.ndarray | None = None
    """Outside it all is background."""
    clock: Clock = field(default_factory=Clock)
    """Its step `restore` is the wait for slabs, which are requested within other steps."""

    @property
    def box(self) -> Box:
        """The native box around which all is certain background; without a voxel where all is background."""
        nothing = Box((0, 0, 0), (0, 0, 0))
        boxes = [branch.placement.native_box.shifted(self.frame.start) for branch in self.branches]
        found = reduce(Box.union, boxes) if boxes else nothing
        if self.gate_xyz is None:
            return found
        return found.intersection(bounding_box(self.gate_xyz) or nothing)

    def slabs(self) -> Iterator[tuple[Box, Array]]:
        """Boxes of native voxels with their probabilities (R, *box.shape), float32.

        Outside of them all is certain background; no box where all is background.
        """
        return self._in_slabs(self._probabilities)

    def indices(self) -> Iterator[tuple[Box, Array]]:
        """The same boxes with the channel of each voxel's most probable label, smallest unsigned type."""
        return self._in_slabs(self._indices)

    def members(self) -> Iterator[tuple[Member, StageOutput]]:
        """Each member and the stage's output as if it were the only one, where branches hold those."""
        for branch in self.branches:
            for member, alone in branch.members if isinstance(branch, BranchOutput) else ():
                yield member, replace(self, branches=(alone,))

    def _in_slabs(self, make: Callable[[Box], Array]) -> Iterator[tuple[Box, Array]]:
        box = self.box
        if 0 in box.shape:
            return
        on_host = all(
            isinstance(branch, BranchLabels) or isinstance(branch.values_rxyz, np.ndarray)
            for branch in self.branches
        )
        # Along the axis whose slabs are contiguous in memory
        axis = self.branches[0].placement.orientation.permutation[0]
        length = box.shape[axis]
        slab_bytes = SLAB_BYTES if on_host else DEVICE_SLAB_BYTES
        thickness = max(1, slab_bytes * length // (4 * len(self.names) * prod(box.shape)))
        starts = range(0, length, thickness)
        places = [box.slab(axis, start, min(start + thickness, length)) for start in starts]
        made = prefetch(make, places) if on_host else map(make, places)
        for place in places:
            with self.clock.step("restore"):
                slab = next(made)
            yield place, slab

    def _probabilities(self, place: Box) -> Array:
        values_rxyz = self._values(place)
        if self.merge == "logits":
            values_rxyz = activate(values_rxyz, self.kind)
        if self.gate_xyz is None:
            return values_rxyz
        background_r = certain_background(self.kind, len(self.names), "probabilities")
        gate_xyz = as_array_like(place.apply(self.gate_xyz), values_rxyz)
        background = as_array_like(background_r[:, None, None, None], values_rxyz)
        return array_namespace(values_rxyz).where(gate_xyz[None], values_rxyz, background)

    def _indices(self, place: Box) -> Array:
        match self.branches:
            case (BranchLabels() as branch,):
                (indices_xyz,) = branch.placement.restore(
                    branch.indices_xyz[None], place.relative_to(self.frame)
                )
            case _:
                # The highest logit has the highest probability; probabilities may be equal by rounding
                indices_xyz = argmax(self._values(place))
        if self.gate_xyz is None:
            return indices_xyz
        # Channel 0 is the background
        return indices_xyz * as_array_like(place.apply(self.gate_xyz), indices_xyz)

    def _values(self, place: Box) -> Array:
        """Logits, where the stage merges those, or probabilities; the gate is not applied."""
        outside_r = certain_background(self.kind, len(self.names), self.merge)
        slabs = [
            branch.placement.restore(
                branch.values_rxyz, place.relative_to(self.frame), list(outside_r * branch.share_r)
            )
            for branch in self.branches
            if isinstance(branch, BranchOutput)
        ]
        assert slabs, "a stage with labels alone has no probabilities"
        # After a lack of memory a branch may have run on another device than the others
        if len({str(device(slab)) for slab in slabs}) > 1:
            slabs = [to_numpy(slab) for slab in slabs]
        return reduce(add, slabs)
