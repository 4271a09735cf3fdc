"""One branch of a stage over one case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from segcube.core import Array, CaseError, Clock, Code, array_namespace, beside, sum_of_slabs, to_host
from segcube.inference.activation import channel_matrix, shut_gate
from segcube.inference.ensemble import Ensemble, branch_weights
from segcube.inference.merge import BranchLabels, BranchOutput
from segcube.inference.models import Models
from segcube.inference.planes import finished_planes
from segcube.inference.sliding_window import Pass
from segcube.inference.windows import WindowPlan
from segcube.inference.workspace import Workspace
from segcube.spec.submission import Branch, Member, Stage
from segcube.transforms import PreparedImage, first_highest


@dataclass(frozen=True)
class BranchRun:
    """A branch about to run on what was prepared of a case."""

    stage: Stage
    branch: Branch
    prepared: PreparedImage
    plan: WindowPlan
    models: Models
    clock: Clock
    case: str
    on_member: Callable[[Member, BranchOutput], None] | None = None
    """Takes a member and what it alone says."""
    labels_only: bool = False
    """Nothing but the labels of the branch, the only one of its stage, is asked for."""

    def run(self) -> BranchOutput | BranchLabels:
        """The branch's weighted sum over all weights of the stage; or its labels, where they do.

        Labels are decided plane by plane, without a volume of what decides them, where one pass does so and
        the branch's planes are native ones. Raises CaseError MEMORY, or NONFINITE when a network's output is
        not finite in fp32 either.
        """
        return self.models.run(self._in_some_precision)

    def _in_some_precision(self, space: Workspace) -> BranchOutput | BranchLabels:
        """Once more in fp32 if half precision overflowed."""
        found = self._once(space)
        if found is None and space.backend.precision != "fp32":
            self.models.log(f"{self.case}: {space.backend.precision} overflowed; again in fp32")
            found = self._once(replace(space, backend=space.backend.in_full_precision()))
        if found is None:
            told = f"stage {self.stage.name}: a network's output is not finite"
            raise CaseError(Code.NONFINITE, told)
        return found

    def _once(self, space: Workspace) -> BranchOutput | BranchLabels | None:
        """None where a network's output is not finite."""
        ensemble = Ensemble(
            self.stage,
            self.branch,
            self.models.voices(self.stage, self.branch, space.backend, apart=self.on_member is not None),
            channel_matrix(self.stage, self.branch, self.models.loaded.challenge),
            self.models.flips,
            self.clock,
            self._alone if self.on_member else None,
        )
        image_cxyz = space.backend.upload(self.prepared.image_cxyz)
        only = ensemble.only_pass(self.plan) if self.labels_only and self._planes_are_native else None
        if only is not None:
            return self._labelled(image_cxyz, only, space)
        values_kxyz = ensemble.run(image_cxyz, self.plan, space)
        if not _finite(values_kxyz):
            return None
        share_k = branch_weights(self.branch, self.stage) / self._total_k
        return self._part(_divided(values_kxyz, self._total_k), share_k.astype(np.float32))

    @property
    def _planes_are_native(self) -> bool:
        """Whether nothing but a crop and turned axes stands between the branch's grid and the native one."""
        output = self.prepared.placement.output
        return output.shape_in == output.shape_out

    @property
    def _total_k(self) -> np.ndarray:
        """All weights of the stage, a channel each."""
        return np.sum([branch_weights(branch, self.stage) for branch in self.stage.branches], axis=0)

    def _labelled(self, image_cxyz: Array, only: Pass, space: Workspace) -> BranchLabels | None:
        shape, channels = self.plan.shape, len(self.stage.names)
        indices_xyz = np.zeros(shape, dtype=np.min_scalar_type(channels - 1))
        for planes, values_kxyz in finished_planes(image_cxyz, only, channels, space, self.clock):
            if not _finite(values_kxyz):
                return None
            indices_xyz[planes] = to_host(first_highest(_divided(values_kxyz, self._total_k)))
        if self.prepared.gate_xyz is not None:
            # The background is the first of the channels
            indices_xyz *= self.prepared.gate_xyz
        return BranchLabels(self.prepared.placement, indices_xyz)

    def _alone(self, member: Member, values_kxyz: Array) -> None:
        if self.on_member:
            ones_k = np.ones(len(self.stage.names), dtype=np.float32)
            self.on_member(member, self._part(values_kxyz, ones_k))

    def _part(self, values_kxyz: Array, share_k: np.ndarray) -> BranchOutput:
        """A part, with its share of background outside the branch's own gate."""
        if self.prepared.gate_xyz is not None:
            outside_k = shut_gate(self.stage.kind, len(self.stage.names), self.stage.merge) * share_k
            outside_kxyz = beside(outside_k.astype(np.float32)[:, None, None, None], values_kxyz)
            gate_xyz = beside(self.prepared.gate_xyz[None], values_kxyz)
            values_kxyz = array_namespace(values_kxyz).where(gate_xyz, values_kxyz, outside_kxyz)
        return BranchOutput(self.prepared.placement, values_kxyz, share_k)


def _divided(values_kxyz: Array, total_k: np.ndarray) -> Array:
    """In place."""
    if (total_k != 1).any():
        values_kxyz /= beside(total_k.astype(np.float32)[:, None, None, None], values_kxyz)
    return values_kxyz


def _finite(array_kxyz: Array) -> bool:
    xp = array_namespace(array_kxyz)

    def has_other(slab: slice) -> bool:
        return not bool(xp.all(xp.isfinite(array_kxyz[:, slab])))

    return sum_of_slabs(has_other, array_kxyz[0]) == 0
