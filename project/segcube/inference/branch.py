"""One branch of a stage over one case: on the device if it fits, in fp32 if half precision overflows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segcube.backends import DeviceMemoryError
from segcube.core import (
    Array,
    CaseError,
    Clock,
    Code,
    array_namespace,
    as_array_like,
    sum_over_slabs,
    to_numpy,
)
from segcube.inference.activation import background_outside_gate
from segcube.inference.ensemble import BranchTask, WeightedMember, sum_members, weighted_passes
from segcube.inference.merge import BranchLabels, BranchOutput
from segcube.inference.models import Models, first_line
from segcube.inference.sliding_window import MirrorPass, slide_by_planes
from segcube.inference.workspace import Workspace
from segcube.transforms import argmax


def run_branch(task: BranchTask, models: Models, clock: Clock, case: str) -> BranchOutput | BranchLabels:
    """Predict a branch in the fastest workspace that fits, in fp32 where half precision overflows.

    After a lack of memory the next workspace of `Models` is tried: fewer windows at once, then the
    accumulator on the host, then the CPU; later cases begin with the one that fitted. Raises CaseError MEMORY
    when none fits, and NONFINITE when a network's output is not finite in fp32 either.
    """
    while True:
        workspace = models.workspace
        try:
            output = predict_branch(task, models, workspace, clock)
            if output is None and workspace.backend.precision != "fp32":
                models.log(f"{case}: {workspace.backend.precision} overflowed; repeated in fp32")
                fp32 = replace(workspace, backend=workspace.backend.in_fp32())
                output = predict_branch(task, models, fp32, clock)
        except (DeviceMemoryError, MemoryError) as error:
            reason = first_line(error)
        else:
            if output is None:
                raise CaseError(
                    Code.NONFINITE, f"stage {task.stage.name}: the output of a network is not finite"
                )
            return output
        models.step_down(reason)


def predict_branch(
    task: BranchTask, models: Models, workspace: Workspace, clock: Clock
) -> BranchOutput | BranchLabels | None:
    """The branch's weighted sum over all weights of its stage, or its labels where they can be streamed.

    None where a network's output is not finite. Raises DeviceMemoryError.
    """
    members = models.members(task.stage, task.branch, workspace.backend, task.needs == "members")
    image_cxyz = workspace.backend.upload(task.prepared.image_cxyz)
    if can_stream_labels(task, members):
        return _stream_labels(image_cxyz, task, weighted_passes(task, members)[0], workspace, clock)
    values_rxyz, each = sum_members(image_cxyz, task, members, workspace, clock)
    if not _is_finite(values_rxyz):
        return None
    share_r = (task.weight_r / task.total_weight_r).astype(np.float32)
    outputs = [_branch_output(task, values, np.ones_like(share_r)) for values in each]
    return replace(
        _branch_output(task, _divide(values_rxyz, task.total_weight_r), share_r),
        members=tuple(zip(task.branch.members, outputs, strict=False)),
    )


def can_stream_labels(task: BranchTask, members: Sequence[WeightedMember]) -> bool:
    """Whether labels can be decided plane by plane, without a volume of probabilities.

    Only the labels of a single branch are needed; one pass of one member in the stage's own channels decides
    them (its activation keeps the order of the logits); the branch's planes are native ones.
    """
    output = task.prepared.placement.output
    return (
        task.needs == "labels"
        and task.stage.kind == "labels"
        and len(task.stage.branches) == 1
        and task.matrix_rk is None
        and len(weighted_passes(task, members)) == 1
        and output.shape_in == output.shape_out
    )


def _stream_labels(
    image_cxyz: Array, task: BranchTask, mirror_pass: MirrorPass, workspace: Workspace, clock: Clock
) -> BranchLabels | None:
    """The branch's labels; None where a network's output is not finite."""
    channels = len(task.stage.names)
    indices_xyz = np.zeros(task.plan.shape, dtype=np.min_scalar_type(channels - 1))
    for planes, values_kxyz in slide_by_planes(image_cxyz, mirror_pass, channels, workspace, clock):
        if not _is_finite(values_kxyz):
            return None
        indices_xyz[planes] = to_numpy(argmax(_divide(values_kxyz, task.total_weight_r)))
    if task.prepared.gate_xyz is not None:
        # Channel 0 is the background
        indices_xyz *= task.prepared.gate_xyz
    return BranchLabels(task.prepared.placement, indices_xyz)


def _branch_output(task: BranchTask, values_rxyz: Array, share_r: np.ndarray) -> BranchOutput:
    """A branch's output; outside its own gate it holds its share of background."""
    stage, gate_xyz = task.stage, task.prepared.gate_xyz
    if gate_xyz is not None:
        outside_r = background_outside_gate(stage.kind, len(stage.names), stage.merge) * share_r
        outside = as_array_like(outside_r.astype(np.float32)[:, None, None, None], values_rxyz)
        inside = as_array_like(gate_xyz[None], values_rxyz)
        values_rxyz = array_namespace(values_rxyz).where(inside, values_rxyz, outside)
    return BranchOutput(task.prepared.placement, values_rxyz, share_r)


def _divide(values_rxyz: Array, total_r: np.ndarray) -> Array:
    """Divide each channel in place."""
    if (total_r != 1).any():
        values_rxyz /= as_array_like(total_r.astype(np.float32)[:, None, None, None], values_rxyz)
    return values_rxyz


def _is_finite(array_kxyz: Array) -> bool:
    xp = array_namespace(array_kxyz)

    def has_nonfinite(slab: slice) -> bool:
        return not bool(xp.all(xp.isfinite(array_kxyz[:, slab])))

    return sum_over_slabs(has_nonfinite, array_kxyz[0]) == 0
