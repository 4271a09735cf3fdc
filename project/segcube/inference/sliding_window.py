"""Sliding windows: the windows of a grid through one or more passes, summed into one accumulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Literal, TypeAlias

import numpy as np

from segcube.backends import AccumulatorView, AddingNetwork, Network
from segcube.core import FORWARD, Array, Clock, Shape, array_namespace
from segcube.inference.accumulator import add, add_weighted, divide_by_cover, multiply_by_cover
from segcube.inference.activation import activate
from segcube.inference.windows import WindowPlan
from segcube.inference.workspace import Workspace

AddTo: TypeAlias = Callable[[Array], None]
"""Adds what is said of a window to the part of a sum, (K, x, y, z), that lies where it meets the grid."""


@dataclass(frozen=True)
class Pass:
    """A network's looks at a grid, one a mirror."""

    network: Network
    plan: WindowPlan
    mirrors: tuple[tuple[int, ...], ...]
    """Array axes of x, y, z as 0, 1, 2 that are turned round, a look each; what they say is summed."""
    weight_k: np.ndarray
    """Its say in the sum, a channel each."""
    kind: Literal["regions", "labels"] | None = None
    """Outputs whose probabilities are summed; None sums the logits themselves."""


@dataclass(frozen=True)
class Looking:
    """A pass about to run."""

    look: Pass
    weight_xyz: Array
    """The plan's, where the workspace's sums lie."""
    space: Workspace
    clock: Clock

    def windows_of(self, image_cxyz: Array) -> Iterator[tuple[Shape, AddTo]]:
        """Each corner of the plan, and what adds its window; to be called before the next is asked for.

        image_cxyz: on the workspace's device. Raises DeviceMemoryError, and so does what adds.
        """
        channel_weights = self.space.upload(self.look.weight_k)
        xp, plan, step = array_namespace(image_cxyz), self.look.plan, self.space.batch
        for first in range(0, len(plan.starts), step):
            starts = plan.starts[first : first + step]
            windows = [_cut(image_cxyz, plan, start, self.space) for start in starts]
            batch_ncxyz = xp.stack(windows) if len(windows) > 1 else windows[0][None]
            if self._network_adds:
                yield starts[0], partial(self._let_add, batch_ncxyz)
                continue
            total_nkxyz = self._said_by_all(batch_ncxyz)
            for start, said_kxyz in zip(starts, total_nkxyz, strict=True):
                yield start, partial(self._add, plan.in_window(start), said_kxyz, channel_weights)

    @property
    def _network_adds(self) -> bool:
        """Whether the network adds to the sum itself: logits of one window at a time, all within the grid."""
        plan = self.look.plan
        within = all(n >= size for n, size in zip(plan.shape, plan.size, strict=True))
        alone = self.space.batch == 1 and self.look.kind is None
        return isinstance(self.look.network, AddingNetwork) and within and alone

    def _let_add(self, window_ncxyz: np.ndarray, sum_kxyz: np.ndarray) -> None:
        network, onto = self.look.network, AccumulatorView(sum_kxyz, self.look.weight_k, self.weight_xyz)
        assert isinstance(network, AddingNetwork), "asked before"
        for mirror in self.look.mirrors:
            with self._timed:
                network.add(np.flip(window_ncxyz, tuple(axis + 2 for axis in mirror)), onto.turned(mirror))

    def _add(
        self, window: tuple[slice, slice, slice], said_kxyz: Array, channel_weights: Array, sum_kxyz: Array
    ) -> None:
        placed_kxyz = self.space.place(said_kxyz)[(slice(None), *window)]
        add_weighted(sum_kxyz, placed_kxyz, channel_weights, self.weight_xyz[window])

    def _said_by_all(self, batch_ncxyz: Array) -> Array:
        """What is said of windows, their mirrors summed, (N, K, X, Y, Z); it stands until the next call."""
        first, *others = self.look.mirrors
        total_nkxyz = self._said(batch_ncxyz, first)
        if others:
            # What a network says stands until its next call
            total_nkxyz = array_namespace(batch_ncxyz).asarray(total_nkxyz, copy=True)
        for mirror in others:
            add(total_nkxyz, self._said(batch_ncxyz, mirror))
        return total_nkxyz

    def _said(self, batch_ncxyz: Array, mirror: tuple[int, ...]) -> Array:
        """What the network says of mirrored windows, mirrored back: (N, K, X, Y, Z)."""
        xp = array_namespace(batch_ncxyz)
        axes = tuple(axis + 2 for axis in mirror)
        if axes:
            batch_ncxyz = xp.flip(batch_ncxyz, axis=axes)
        with self._timed:
            said_nkxyz = self.look.network(batch_ncxyz)
        if self.look.kind is not None:
            said_nkxyz = activate(said_nkxyz, self.look.kind, axis=1)
        return xp.flip(said_nkxyz, axis=axes) if axes else said_nkxyz

    @property
    def _timed(self) -> AbstractContextManager[None]:
        # A GPU goes on after the call: its forwards are told with the rest of the step
        return self.clock.step(FORWARD) if self.space.backend.device == "cpu" else nullcontext()


def _cut(image_cxyz: Array, plan: WindowPlan, start: Shape, space: Workspace) -> Array:
    inside_cxyz = image_cxyz[(slice(None), *plan.in_grid(start))]
    if inside_cxyz.shape[1:] == plan.size:
        return inside_cxyz
    window_cxyz = space.backend.zeros(image_cxyz.shape[0], plan.size)
    window_cxyz[(slice(None), *plan.in_window(start))] = inside_cxyz
    return window_cxyz


def slide(image_cxyz: Array, passes: Sequence[Pass], sum_kxyz: Array, space: Workspace, clock: Clock) -> None:
    """Sum the passes' blended windows: sum_p weight_p * blend(logits_p, or probabilities_p).

    image_cxyz: on the workspace's device. sum_kxyz: zeros (K, X, Y, Z) where the workspace's sums lie; they
    stay where no window lies. Raises DeviceMemoryError.
    """
    for index, (plan, looks) in enumerate(groupby(passes, key=attrgetter("plan"))):
        weight_xyz = space.upload(plan.weight_xyz)
        if index:
            # What other plans gave is divided with this one's windows
            multiply_by_cover(sum_kxyz, plan, weight_xyz)
        for look in looks:
            for start, add_to in Looking(look, weight_xyz, space, clock).windows_of(image_cxyz):
                add_to(sum_kxyz[(slice(None), *plan.in_grid(start))])
        divide_by_cover(sum_kxyz, plan, weight_xyz)
