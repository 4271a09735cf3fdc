"""The members of a branch and their mirrored views, summed into one accumulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np

from segcube.backends import Backend, Network
from segcube.core import Array, Clock, array_namespace
from segcube.inference.activation import activate
from segcube.inference.sliding_window import MirrorPass, slide
from segcube.inference.windows import WindowPlan
from segcube.inference.workspace import Workspace
from segcube.spec.submission import Branch, Member, MemberFile, Stage
from segcube.transforms import PreparedImage

SLAB = 16
"""Planes of an accumulator that are added at once, so that no second volume of temporaries is needed."""


Needs: TypeAlias = Literal["labels", "probabilities", "members"]
"""What a stage's output is needed for: its labels alone, its probabilities, or each member's own as well."""


@dataclass(frozen=True)
class WeightedMember:
    """A network on the device and its weight in each of the stage's channels, (R,)."""

    network: Network
    weight_r: np.ndarray


@dataclass(frozen=True)
class BranchTask:
    """A branch of a stage, its prepared image and windows, and what the run needs of it."""

    stage: Stage
    branch: Branch
    prepared: PreparedImage
    plan: WindowPlan
    matrix_rk: np.ndarray | None = None
    """Sums the networks' channels into the stage's; None where they are the same."""
    mirroring: bool = True
    """Whether the branch's mirror axes are used."""
    needs: Needs = "probabilities"

    @property
    def weight_r(self) -> np.ndarray:
        """The weights of the branch's members, summed, (R,)."""
        return _branch_weights(self.branch, self.stage)

    @property
    def total_weight_r(self) -> np.ndarray:
        """The weights of all members of the stage, summed, (R,)."""
        return np.sum([_branch_weights(branch, self.stage) for branch in self.stage.branches], axis=0)


def load_members(
    stage: Stage, branch: Branch, files: Sequence[MemberFile], backend: Backend, separately: bool
) -> list[WeightedMember]:
    """The networks of a branch's members; one for all where the stage sums logits and the backend joins them.

    files: of the members, in their order. separately: one network a member is needed. Raises
    EnvironmentFault for a file that cannot be used.
    """
    weights = [member_weights(member, stage) for member in branch.members]
    if stage.merge == "logits" and not separately:
        joined = backend.join(files, np.stack(weights))
        if joined is not None:
            return [WeightedMember(joined, np.ones_like(weights[0]))]
    return [
        WeightedMember(backend.load(file), weight_r) for file, weight_r in zip(files, weights, strict=True)
    ]


def member_weights(member: Member, stage: Stage) -> np.ndarray:
    """A member's weight in each of the stage's channels, (R,)."""
    return np.array([member.weight_for(name) for name in stage.names])


def _branch_weights(branch: Branch, stage: Stage) -> np.ndarray:
    return np.sum([member_weights(member, stage) for member in branch.members], axis=0)


def mirror_combinations(axes: Sequence[int]) -> list[tuple[int, ...]]:
    """Every combination of axes to mirror, the plain view first; no axes give the plain view alone."""
    return [chosen for size in range(len(axes) + 1) for chosen in combinations(sorted(axes), size)]


def mirror_axes(names: Sequence[str], axes: str) -> tuple[int, ...]:
    """The array axes of the mirror axes x, y, z in a branch whose array axes are `axes`, such as zyx."""
    return tuple(sorted(axes.index(name) for name in names))


def mirror_passes(task: BranchTask, network: Network) -> list[MirrorPass]:
    """The passes of one network: views of each window (nnU-Net), or of the whole grid (MONAI)."""
    branch, plan = task.branch, task.plan
    views = mirror_combinations(mirror_axes(branch.flips, branch.axes) if task.mirroring else ())
    share_k = np.full(len(branch.outputs.names), 1 / len(views))
    activation = branch.outputs.kind if branch.window.average == "probabilities" else None
    if branch.window.plan == "monai":
        return [MirrorPass(network, plan.mirrored(axes), (axes,), share_k, activation) for axes in views]
    return [MirrorPass(network, plan, tuple(views), share_k, activation)]


def weighted_passes(task: BranchTask, members: Sequence[WeightedMember]) -> list[MirrorPass]:
    """The passes of all members, each with its member's weight; for networks in the stage's own channels."""
    return [
        replace(mirror_pass, channel_weights=mirror_pass.channel_weights * member.weight_r)
        for member in members
        for mirror_pass in mirror_passes(task, member.network)
    ]


def sum_members(
    image_cxyz: Array, task: BranchTask, members: Sequence[WeightedMember], space: Workspace, clock: Clock
) -> tuple[Array, list[Array]]:
    """sum_n w_n x_n over the members, (R, X, Y, Z) in the stage's channels; and each x_n where it is needed.

    x_n: the mean of member n's mirrored views, as the window averages them (logits or probabilities); as
    probabilities if the stage merges those. Raises DeviceMemoryError.
    """
    # One accumulator serves every member, so that memory does not grow with their number
    logits_kxyz = space.zeros(len(task.branch.outputs.names), task.plan.shape)
    if task.stage.merge == "logits" and task.needs != "members":
        slide(image_cxyz, weighted_passes(task, members), logits_kxyz, space, clock)
        return logits_kxyz, []
    sum_rxyz = space.zeros(len(task.stage.names), task.plan.shape)
    each: list[Array] = []
    for member in members:
        logits_kxyz[...] = 0
        slide(image_cxyz, mirror_passes(task, member.network), logits_kxyz, space, clock)
        _add_member(sum_rxyz, logits_kxyz, member.weight_r, task, space)
        if task.needs == "members":
            own_rxyz = space.zeros(len(task.stage.names), task.plan.shape)
            _add_member(own_rxyz, logits_kxyz, np.ones_like(member.weight_r), task, space)
            each.append(own_rxyz)
    return sum_rxyz, each


def _add_member(
    sum_rxyz: Array, logits_kxyz: Array, weight_r: np.ndarray, task: BranchTask, space: Workspace
) -> None:
    """Add a member times its weights, slab by slab."""
    xp = array_namespace(logits_kxyz)
    weights = space.upload(weight_r)[:, None, None, None]
    matrix_rk = None if task.matrix_rk is None else space.upload(task.matrix_rk)
    for first in range(0, logits_kxyz.shape[1], SLAB):
        slab = (slice(None), slice(first, first + SLAB))
        values_kxyz = logits_kxyz[slab]
        if task.stage.merge == "probabilities" and task.branch.window.average == "logits":
            values_kxyz = activate(values_kxyz, task.branch.outputs.kind)
        if matrix_rk is not None:
            values_kxyz = xp.tensordot(matrix_rk, values_kxyz, axes=([1], [0]))
        sum_rxyz[slab] += weights * values_kxyz
