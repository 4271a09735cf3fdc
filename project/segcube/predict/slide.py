"""Sliding windows: the windows of a grid through one or more passes, summed into one accumulator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from segcube.predict.clock import Clock
from segcube.predict.cover import divide_by_cover, multiply_by_cover
from segcube.predict.looks import Looking, Pass
from segcube.predict.memory import Workspace
from segcube.types import Array


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
