"""One stage of a submission over one case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from segcube.core import Clock, Volume
from segcube.inference.branch import BranchRun
from segcube.inference.merge import BranchLabels, BranchOutput, StageOutput
from segcube.inference.models import Models
from segcube.inference.windows import WindowPlan, plan_windows
from segcube.spec.submission import Branch, Member, Stage
from segcube.transforms import PreparedImage, StageInput, prepare_branch

OnMember = Callable[[Member, StageOutput], None]


@dataclass(frozen=True)
class StageRun:
    """A stage about to run on a case: what it sees, and where the time goes."""

    stage: Stage
    volume: Volume
    stage_input: StageInput
    models: Models
    clock: Clock
    on_member: OnMember | None = None
    on_released: Callable[[], None] | None = None
    """Called once every branch has its own voxels and the volume's are let go: networks need the memory."""
    labels_only: bool = False
    """The result is asked for labels, never for probabilities."""
    ahead: list[PreparedImage] = field(default_factory=list[PreparedImage])
    """The branches' images in their order, where they were prepared before; each is taken out."""

    def run(self) -> StageOutput:
        """The stage's merged probabilities, or labels alone, on the native grid.

        Raises CaseError MEMORY, or NONFINITE when a network's output is not finite in fp32 either.
        """
        branches = () if self.stage_input.empty else self.stage.branches
        return self._merged([self._part(branch) for branch in branches])

    def _part(self, branch: Branch) -> BranchOutput | BranchLabels:
        with self.clock.step("preprocess"):
            prepared = (
                self.ahead.pop(0) if self.ahead else prepare_branch(self.volume, self.stage_input, branch)
            )
        if self.on_released is not None and branch is self.stage.branches[-1]:
            self.volume.release_voxels()
            self.on_released()
        with self.clock.step(f"predict {self.stage.name}"):
            return BranchRun(
                self.stage,
                branch,
                prepared,
                self._plan(branch, prepared),
                self.models,
                self.clock,
                self.volume.case.name,
                self._alone if self.on_member else None,
                self.labels_only and self.stage.kind == "labels" and len(self.stage.branches) == 1,
            ).run()

    def _plan(self, branch: Branch, prepared: PreparedImage) -> WindowPlan:
        """The windows of the branch's grid; those alone that meet the gates, where there are any."""
        plan = plan_windows(prepared.image_cxyz.shape[1:], branch.window)
        if self.stage_input.gate_xyz is not None:
            plan = plan.meeting(prepared.touched(self.stage_input.gate_xyz))
        if prepared.gate_xyz is not None:
            plan = plan.meeting(prepared.gate_xyz)
        return plan

    def _alone(self, member: Member, part: BranchOutput) -> None:
        if self.on_member:
            self.on_member(member, self._merged((part,)))

    def _merged(self, parts: Sequence[BranchOutput | BranchLabels]) -> StageOutput:
        return StageOutput(
            stage=self.stage.name,
            names=self.stage.names,
            kind=self.stage.kind,
            merge=self.stage.merge,
            shape=self.volume.grid.shape,
            parts=tuple(parts),
            frame=self.stage_input.frame,
            gate_xyz=self.stage_input.gate_xyz,
        )
