"""A submission of plans: one stage, with a branch for each plan."""

from __future__ import annotations

from collections.abc import Sequence

from segcube.spec.challenges import Challenge
from segcube.spec.submission import Branch, Member, Stage, Submission
from segcube.training.plan import Plan, scored_regions

STAGE = "segmentation"
"""The name of the only stage."""
LICENCE = "unknown"


def branch_of(plan: Plan, members: Sequence[Member]) -> Branch:
    """Return a plan's branch with the given members."""
    return plan.branch.model_copy(update={"members": tuple(members)})


def submission_of(plan: Plan, name: str, members: Sequence[Member], licence: str = LICENCE) -> Submission:
    """Return a submission of a plan's branch with the given members."""
    stage = Stage(name=STAGE, branches=(branch_of(plan, members),))
    return Submission(name=name, challenge=plan.challenge, licence=licence, stages=(stage,))


def stage_of(branches: Sequence[Branch], challenge: Challenge) -> Stage:
    """Return the stage that merges branches: in regions, where their networks have different outputs."""
    outputs = {(branch.outputs.kind, branch.outputs.names) for branch in branches}
    regions = scored_regions(challenge) if len(outputs) > 1 else None
    return Stage(name=STAGE, regions=regions, branches=tuple(branches))
