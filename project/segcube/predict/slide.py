"""Sliding windows: the windows of a grid through one or more passes, summed into one accumulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Literal

import numpy as np

from segcube.backends import Network
from segcube.predict.activate import activate
from segcube.predict.adding import add, add_weighted
from segcube.predict.clock import FORWARD, Clock
from segcube.predict.cover import divide_by_cover, multiply_by_cover
from segcube.predict.memory import Workspace
from segcube.predict.windows import WindowPlan
from segcube.preprocess import array_namespace
from segcube.types import Array, Shape


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
            say_k = space.upload(look.weight_k)
            for start, said_kxyz in windows_of(image_cxyz, look, space, clock):
                grid, window = plan.in_grid(start), plan.in_window(start)
                add_weighted(
                    sum_kxyz[(slice(None), *grid)],
                    space.place(said_kxyz)[(slice(None), *window)],
                    say_k,
                    weight_xyz[window],
                )
        divide_by_cover(sum_kxyz, plan, weight_xyz)


def windows_of(
    image_cxyz: Array, look: Pass, space: Workspace, clock: Clock
) -> Iterator[tuple[Shape, Array]]:
    """Each corner of the plan with what is said of its window, summed over the mirrors, (K, *plan.size).

    It lies on the image's device and stands until the next is asked for. Raises DeviceMemoryError.
    """
    xp = array_namespace(image_cxyz)
    # A GPU goes on after the call: its forwards are told with the rest of the step
    timed = partial(clock.step, FORWARD) if space.backend.device == "cpu" else nullcontext
    for first in range(0, len(look.plan.starts), space.batch):
        starts = look.plan.starts[first : first + space.batch]
        windows = [_cut(image_cxyz, look.plan, start, space) for start in starts]
        batch_ncxyz = xp.stack(windows) if len(windows) > 1 else windows[0][None]
        first_mirror, *others = look.mirrors
        total_nkxyz = _said(batch_ncxyz, first_mirror, look, timed)
        if others:
            # What a network says stands until its next call
            total_nkxyz = xp.asarray(total_nkxyz, copy=True)
        for mirror in others:
            add(total_nkxyz, _said(batch_ncxyz, mirror, look, timed))
        yield from zip(starts, total_nkxyz, strict=True)


def _said(
    batch_ncxyz: Array, mirror: tuple[int, ...], look: Pass, timed: Callable[[], AbstractContextManager[None]]
) -> Array:
    """What a network says of mirrored windows, mirrored back: (N, K, X, Y, Z)."""
    xp = array_namespace(batch_ncxyz)
    axes = tuple(axis + 2 for axis in mirror)
    if axes:
        batch_ncxyz = xp.flip(batch_ncxyz, axis=axes)
    with timed():
        said_nkxyz = look.network(batch_ncxyz)
    if look.kind is not None:
        said_nkxyz = activate(said_nkxyz, look.kind, axis=1)
    return xp.flip(said_nkxyz, axis=axes) if axes else said_nkxyz


def _cut(image_cxyz: Array, plan: WindowPlan, start: Shape, space: Workspace) -> Array:
    inside_cxyz = image_cxyz[(slice(None), *plan.in_grid(start))]
    if inside_cxyz.shape[1:] == plan.size:
        return inside_cxyz
    window_cxyz = space.backend.zeros(image_cxyz.shape[0], plan.size)
    window_cxyz[(slice(None), *plan.in_window(start))] = inside_cxyz
    return window_cxyz
