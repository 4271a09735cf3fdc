"""Sliding windows, plane by plane: each is handed on as soon as no window to come meets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segcube.core import Array, Clock, array_namespace, in_slabs
from segcube.inference.accumulator import divide_by_cover
from segcube.inference.sliding_window import Looking, Pass
from segcube.inference.windows import WindowPlan
from segcube.inference.workspace import Workspace


def finished_planes(
    image_cxyz: Array, look: Pass, channels: int, space: Workspace, clock: Clock
) -> Iterator[tuple[slice, Array]]:
    """Blend a pass's windows: planes of the grid along its first axis, in order, (K, planes, Y, Z) each.

    No more planes than a window has stand at once, where `slide` holds the grid. The plan's windows must
    begin in the order of the first axis, as they are planned. image_cxyz: on the workspace's device. What is
    yielded lies where the workspace's sums lie and stands until the next is asked for. Planes that no window
    meets are left out; without a window there are none. Raises DeviceMemoryError.
    """
    plan, weight_xyz = look.plan, space.upload(look.plan.weight_xyz)
    depth = min(plan.size[0], plan.shape[0])
    rolling = _Rolling(space.zeros(channels, (depth, *plan.shape[1:])), plan, weight_xyz)
    for start, add_to in Looking(look, weight_xyz, space, clock).windows_of(image_cxyz):
        x, y, z = plan.in_grid(start)
        if x.start != rolling.first:
            yield from rolling.until(x.start)
        add_to(rolling.at(x)[:, :, y, z])
    yield from rolling.until(plan.shape[0])


@dataclass
class _Rolling:
    """The sum of those planes of a grid that windows still come to."""

    sum_kxyz: Array
    plan: WindowPlan
    weight_xyz: Array
    first: int = 0
    """The plane that stands foremost."""
    past: int = 0
    """Beyond the last that a window met."""

    def at(self, planes: slice) -> Array:
        """The sum of some planes of the grid, which begin at the foremost, to add to."""
        assert planes.start == self.first, "planes are left in their order"
        self.past = max(self.past, planes.stop)
        return self.sum_kxyz[:, : planes.stop - planes.start]

    def until(self, plane: int) -> Iterator[tuple[slice, Array]]:
        """Those before a plane, if there are any; it stands foremost from then on."""
        done = slice(self.first, max(self.first, min(plane, self.past)))
        count, left = done.stop - done.start, max(self.past - plane, 0)
        if count:
            planes_kxyz = self.sum_kxyz[:, :count]
            divide_by_cover(planes_kxyz, self.plan, self.weight_xyz, done.start)
            yield done, planes_kxyz
        if plane < self.plan.shape[0]:
            self._move_up(count, left)
        self.first = plane

    def _move_up(self, count: int, left: int) -> None:
        """Bring forward the planes that are left behind so many, zeros behind them."""

        def move(rows: slice) -> None:
            for index in range(left):
                self.sum_kxyz[:, index, rows] = self.sum_kxyz[:, index + count, rows]
            self.sum_kxyz[:, left:, rows] = 0

        in_slabs(move, array_namespace(self.sum_kxyz).permute_dims(self.sum_kxyz[0], (1, 0, 2)))
