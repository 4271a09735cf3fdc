"""Sliding windows: the windows of a grid through one or more mirror passes, summed into one accumulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from operator import attrgetter, imul, itruediv
from typing import Literal, TypeAlias

import numpy as np

from segcube.backends import AccumulatingNetwork, AccumulatorView, Network
from segcube.core import FORWARD, Array, Clock, Shape, array_namespace, for_each_slab
from segcube.inference.accumulator import add, add_weighted, scale_by_importance
from segcube.inference.activation import activate
from segcube.inference.windows import WindowPlan
from segcube.inference.workspace import Workspace

AddTo: TypeAlias = Callable[[Array], None]
"""Adds a window's output to the part of the accumulator, (K, x, y, z), where the window meets the grid."""


@dataclass(frozen=True)
class MirrorPass:
    """A network, the windows it runs on, and the mirrored views of each whose outputs are summed."""

    network: Network
    plan: WindowPlan
    views: tuple[tuple[int, ...], ...]
    """Array axes of x, y, z as 0, 1, 2 that are mirrored, a tuple each view."""
    channel_weights: np.ndarray
    """What each channel's output is multiplied by, (K,)."""
    activation: Literal["regions", "labels"] | None = None
    """Sum probabilities of this kind of output; None sums the logits themselves."""


def slide(
    image_cxyz: Array, passes: Sequence[MirrorPass], sum_kxyz: Array, space: Workspace, clock: Clock
) -> None:
    """Sum the passes' blended windows: sum_p weight_p * blend(logits_p, or probabilities_p).

    image_cxyz: on the workspace's device. sum_kxyz: zeros (K, X, Y, Z) where the workspace's accumulators
    are; they stay where no window lies. Raises DeviceMemoryError.
    """
    for index, (plan, plan_passes) in enumerate(groupby(passes, key=attrgetter("plan"))):
        importance_xyz = space.upload(plan.importance_xyz)
        if index:
            # The outputs of the plans before are divided together with this one's
            scale_by_importance(imul, sum_kxyz, plan, importance_xyz)
        for mirror_pass in plan_passes:
            for start, add_to in window_outputs(image_cxyz, mirror_pass, importance_xyz, space, clock):
                add_to(sum_kxyz[(slice(None), *plan.in_grid(start))])
        scale_by_importance(itruediv, sum_kxyz, plan, importance_xyz)


def slide_by_planes(
    image_cxyz: Array, mirror_pass: MirrorPass, channels: int, space: Workspace, clock: Clock
) -> Iterator[tuple[slice, Array]]:
    """Blend a pass's windows: planes of the grid along its first axis, in order, (K, planes, Y, Z) each.

    Each plane is yielded as soon as no window to come meets it, so that the accumulator holds no more planes
    than a window has. The plan's windows must begin in the order of the first axis, as they are planned.
    image_cxyz: on the workspace's device. What is yielded is valid until the next is requested. Planes that
    no window meets are left out; without a window there are none. Raises DeviceMemoryError.
    """
    plan, importance_xyz = mirror_pass.plan, space.upload(mirror_pass.plan.importance_xyz)
    sum_kxyz = space.zeros(channels, (min(plan.size[0], plan.shape[0]), *plan.shape[1:]))
    # The grid's plane that the accumulator begins with, and one past the last plane that a window met
    first, past = 0, 0
    outputs = window_outputs(image_cxyz, mirror_pass, importance_xyz, space, clock)
    for start, add_to in chain(outputs, [(plan.shape, None)]):
        x, y, z = plan.in_grid(start)
        if x.start != first:
            assert x.start > first, "windows begin in the order of the first axis"
            done = max(min(x.start, past) - first, 0)
            if done:
                planes_kxyz = sum_kxyz[:, :done]
                scale_by_importance(itruediv, planes_kxyz, plan, importance_xyz, first)
                yield slice(first, first + done), planes_kxyz
            _move_up(sum_kxyz, done, max(past - x.start, 0))
            first = x.start
        if add_to is not None:
            past = max(past, x.stop)
            add_to(sum_kxyz[:, : x.stop - first, y, z])


def _move_up(sum_kxyz: Array, count: int, left: int) -> None:
    """Move `left` unfinished planes forward by `count`, and fill with zeros behind them."""

    def move(rows: slice) -> None:
        for index in range(left):
            sum_kxyz[:, index, rows] = sum_kxyz[:, index + count, rows]
        sum_kxyz[:, left:, rows] = 0

    for_each_slab(move, array_namespace(sum_kxyz).permute_dims(sum_kxyz[0], (1, 0, 2)))


def window_outputs(
    image_cxyz: Array, mirror_pass: MirrorPass, importance_xyz: Array, space: Workspace, clock: Clock
) -> Iterator[tuple[Shape, AddTo]]:
    """Each corner of the plan, and what adds its window's output; to be called before the next is requested.

    image_cxyz: on the workspace's device. importance_xyz: the plan's, where the workspace's accumulators are.
    Raises DeviceMemoryError, as does what adds.
    """
    plan, xp = mirror_pass.plan, array_namespace(image_cxyz)
    channel_weights = space.upload(mirror_pass.channel_weights)
    accumulates = _accumulates(mirror_pass, space)
    for first in range(0, len(plan.starts), space.batch):
        starts = plan.starts[first : first + space.batch]
        windows = [_cut(image_cxyz, plan, start, space) for start in starts]
        batch_ncxyz = xp.stack(windows) if len(windows) > 1 else windows[0][None]
        if accumulates:
            yield starts[0], partial(_accumulate, batch_ncxyz, mirror_pass, importance_xyz, clock)
            continue
        total_nkxyz: Array = None
        for mirrored in mirror_pass.views:
            axes = tuple(axis + 2 for axis in mirrored)
            with _timed(space, clock):
                output_nkxyz = mirror_pass.network(xp.flip(batch_ncxyz, axis=axes) if axes else batch_ncxyz)
            total_nkxyz = _add_mirrored(total_nkxyz, output_nkxyz, axes, mirror_pass)
        for start, output_kxyz in zip(starts, total_nkxyz, strict=True):
            inside = plan.in_window(start)
            placed_kxyz = space.place(output_kxyz)[(slice(None), *inside)]
            yield start, partial(add_weighted, placed_kxyz, channel_weights, importance_xyz[inside])


def _add_mirrored(
    total_nkxyz: Array | None, output_nkxyz: Array, axes: tuple[int, ...], mirror_pass: MirrorPass
) -> Array:
    """Add the output of mirrored windows, mirrored back, to that of the views before (None: none yet)."""
    xp = array_namespace(output_nkxyz)
    if mirror_pass.activation is not None:
        output_nkxyz = activate(output_nkxyz, mirror_pass.activation, axis=1)
    if axes:
        output_nkxyz = xp.flip(output_nkxyz, axis=axes)
    if total_nkxyz is not None:
        add(total_nkxyz, output_nkxyz)
        return total_nkxyz
    # A network's output is valid until its next call
    return xp.asarray(output_nkxyz, copy=True) if len(mirror_pass.views) > 1 else output_nkxyz


def _accumulates(mirror_pass: MirrorPass, space: Workspace) -> bool:
    """Whether the network adds to the accumulator itself: logits of one window at a time, all in the grid."""
    plan = mirror_pass.plan
    within = all(n >= size for n, size in zip(plan.shape, plan.size, strict=True))
    single = space.batch == 1 and mirror_pass.activation is None
    return isinstance(mirror_pass.network, AccumulatingNetwork) and within and single


def _accumulate(
    window_ncxyz: np.ndarray,
    mirror_pass: MirrorPass,
    importance_xyz: np.ndarray,
    clock: Clock,
    sum_kxyz: np.ndarray,
) -> None:
    network = mirror_pass.network
    assert isinstance(network, AccumulatingNetwork), "as `_accumulates` found"
    view = AccumulatorView(sum_kxyz, mirror_pass.channel_weights, importance_xyz)
    for mirrored in mirror_pass.views:
        mirrored_ncxyz = np.flip(window_ncxyz, tuple(axis + 2 for axis in mirrored))
        with clock.step(FORWARD):
            network.add(mirrored_ncxyz, view.mirrored(mirrored))


def _timed(space: Workspace, clock: Clock) -> AbstractContextManager[None]:
    # A GPU computes on after the call returns: its forwards are part of the step around them
    return clock.step(FORWARD) if space.backend.device == "cpu" else nullcontext()


def _cut(image_cxyz: Array, plan: WindowPlan, start: Shape, space: Workspace) -> Array:
    """The window at a corner, (C, *plan.size); zeros where it reaches beyond the grid."""
    inside_cxyz = image_cxyz[(slice(None), *plan.in_grid(start))]
    if inside_cxyz.shape[1:] == plan.size:
        return inside_cxyz
    window_cxyz = space.backend.zeros(image_cxyz.shape[0], plan.size)
    window_cxyz[(slice(None), *plan.in_window(start))] = inside_cxyz
    return window_cxyz
