"""One stage of a submission over one case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from segcube.errors import CaseError, Code
from segcube.predict.activate import channel_matrix, shut_gate
from segcube.predict.cascade import View
from segcube.predict.clock import Clock
from segcube.predict.ensemble import Ensemble
from segcube.predict.memory import Workspace
from segcube.predict.merge import Merged, Part
from segcube.predict.models import Models
from segcube.predict.prepare import Prepared, prepare_branch
from segcube.predict.voices import member_weights
from segcube.predict.windows import WindowPlan, plan_windows
from segcube.preprocess import array_namespace, beside
from segcube.slabs import sum_of_slabs
from segcube.submission import Branch, Member, Stage
from segcube.types import Array, Volume

OnMember = Callable[[Member, Merged], None]


@dataclass(frozen=True)
class StageRun:
    """A stage about to run on a case: what it sees, and where the time goes."""

    stage: Stage
    volume: Volume
    view: View
    models: Models
    clock: Clock
    on_member: OnMember | None = None
    on_spent: Callable[[], None] | None = None
    """Called once every branch has its own voxels and the volume's are let go: networks need the memory."""
    ahead: list[Prepared] = field(default_factory=list[Prepared])
    """The branches' images in their order, where they were prepared before; each is taken out."""

    def run(self) -> Merged:
        """The stage's merged probabilities on the native grid.

        Raises CaseError MEMORY, or NONFINITE when a network's output is not finite in fp32 either.
        """
        if self.view.empty:
            return self._merged(())
        total_k = np.sum([self._weight(branch) for branch in self.stage.branches], axis=0)
        parts = tuple(self._part(branch, total_k) for branch in self.stage.branches)
        return self._merged(parts)

    def _weight(self, branch: Branch) -> np.ndarray:
        return np.sum([member_weights(member, self.stage) for member in branch.members], axis=0)

    def _part(self, branch: Branch, total_k: np.ndarray) -> Part:
        with self.clock.step("preprocess"):
            prepared = self.ahead.pop(0) if self.ahead else prepare_branch(self.volume, self.view, branch)
        if self.on_spent is not None and branch is self.stage.branches[-1]:
            self.volume.let_go()
            self.on_spent()
        plan = plan_windows(prepared.image_cxyz.shape[1:], branch.window)
        if self.view.gate_xyz is not None:
            plan = plan.meeting(prepared.touched(self.view.gate_xyz))
        if prepared.gate_xyz is not None:
            plan = plan.meeting(prepared.gate_xyz)
        with self.clock.step(f"predict {self.stage.name}"):
            values_kxyz = self.models.run(lambda space: self._predict(prepared, branch, plan, space))
            if (total_k != 1).any():
                values_kxyz /= beside(total_k.astype(np.float32)[:, None, None, None], values_kxyz)
        return self._gated_part(prepared, values_kxyz, (self._weight(branch) / total_k).astype(np.float32))

    def _gated_part(self, prepared: Prepared, values_kxyz: Array, share_k: np.ndarray) -> Part:
        """A part, with its share of background outside the branch's own gate."""
        if prepared.gate_xyz is not None:
            outside_k = shut_gate(self.stage.kind, len(self.stage.names), self.stage.merge) * share_k
            outside_kxyz = beside(outside_k.astype(np.float32)[:, None, None, None], values_kxyz)
            gate_xyz = beside(prepared.gate_xyz[None], values_kxyz)
            values_kxyz = array_namespace(values_kxyz).where(gate_xyz, values_kxyz, outside_kxyz)
        return Part(prepared.placement, values_kxyz, share_k)

    def _predict(self, prepared: Prepared, branch: Branch, plan: WindowPlan, space: Workspace) -> Array:
        """The branch's weighted sum, once more in fp32 if half precision overflowed."""
        sum_kxyz = self._ensemble(prepared, branch, plan, space)
        finite = _finite(sum_kxyz)
        if not finite and space.backend.precision != "fp32":
            self.models.tell(f"{self.volume.case.name}: {space.backend.precision} overflowed; again in fp32")
            space = replace(space, backend=space.backend.in_full_precision())
            sum_kxyz = self._ensemble(prepared, branch, plan, space)
            finite = _finite(sum_kxyz)
        if not finite:
            raise CaseError(Code.NONFINITE, f"stage {self.stage.name}: a network's output is not finite")
        return sum_kxyz

    def _ensemble(self, prepared: Prepared, branch: Branch, plan: WindowPlan, space: Workspace) -> Array:
        ensemble = Ensemble(
            self.stage,
            branch,
            self.models.voices(self.stage, branch, space.backend, apart=self.on_member is not None),
            channel_matrix(self.stage, branch, self.models.loaded.challenge),
            self.models.flips,
            self.clock,
            self._alone(prepared) if self.on_member else None,
        )
        return ensemble.run(space.backend.upload(prepared.image_cxyz), plan, space)

    def _alone(self, prepared: Prepared) -> Callable[[Member, Array], None]:
        ones_k = np.ones(len(self.stage.names), dtype=np.float32)

        def restore(member: Member, values_kxyz: Array) -> None:
            if self.on_member:
                self.on_member(member, self._merged((self._gated_part(prepared, values_kxyz, ones_k),)))

        return restore

    def _merged(self, parts: tuple[Part, ...]) -> Merged:
        return Merged(
            stage=self.stage.name,
            names=self.stage.names,
            kind=self.stage.kind,
            merge=self.stage.merge,
            shape=self.volume.grid.shape,
            parts=parts,
            frame=self.view.frame,
            gate_xyz=self.view.gate_xyz,
        )


def _finite(array_kxyz: Array) -> bool:
    xp = array_namespace(array_kxyz)

    def has_other(slab: slice) -> bool:
        return not bool(xp.all(xp.isfinite(array_kxyz[:, slab])))

    return sum_of_slabs(has_other, array_kxyz[0]) == 0
