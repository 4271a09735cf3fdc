"""One stage of a submission over one case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from segcube.predict.branch import BranchRun
from segcube.predict.earlier import View
from segcube.predict.clock import Clock
from segcube.predict.merge import Labelled, Merged, Part
from segcube.predict.models import Models
from segcube.predict.prepare import Prepared, prepare_branch
from segcube.predict.windows import WindowPlan, plan_windows
from segcube.submission import Branch, Member, Stage
from segcube.types import Volume

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
    labels_only: bool = False
    """The result is asked for labels, never for probabilities."""
    ahead: list[Prepared] = field(default_factory=list[Prepared])
    """The branches' images in their order, where they were prepared before; each is taken out."""

    def run(self) -> Merged:
        """The stage's merged probabilities, or labels alone, on the native grid.

        Raises CaseError MEMORY, or NONFINITE when a network's output is not finite in fp32 either.
        """
        branches = () if self.view.empty else self.stage.branches
        return self._merged([self._part(branch) for branch in branches])

    def _part(self, branch: Branch) -> Part | Labelled:
        with self.clock.step("preprocess"):
            prepared = self.ahead.pop(0) if self.ahead else prepare_branch(self.volume, self.view, branch)
        if self.on_spent is not None and branch is self.stage.branches[-1]:
            self.volume.let_go()
            self.on_spent()
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

    def _plan(self, branch: Branch, prepared: Prepared) -> WindowPlan:
        """The windows of the branch's grid; those alone that meet the gates, where there are any."""
        plan = plan_windows(prepared.image_cxyz.shape[1:], branch.window)
        if self.view.gate_xyz is not None:
            plan = plan.meeting(prepared.touched(self.view.gate_xyz))
        if prepared.gate_xyz is not None:
            plan = plan.meeting(prepared.gate_xyz)
        return plan

    def _alone(self, member: Member, part: Part) -> None:
        if self.on_member:
            self.on_member(member, self._merged((part,)))

    def _merged(self, parts: Sequence[Part | Labelled]) -> Merged:
        return Merged(
            stage=self.stage.name,
            names=self.stage.names,
            kind=self.stage.kind,
            merge=self.stage.merge,
            shape=self.volume.grid.shape,
            parts=tuple(parts),
            frame=self.view.frame,
            gate_xyz=self.view.gate_xyz,
        )
