"""A submission of plans: a stage with a branch for each plan, and the stage that it follows."""

from __future__ import annotations

from collections.abc import Sequence

from segcube.spec.challenges import Challenge
from segcube.spec.submission import Branch, Follows, Member, Stage, Submission
from segcube.training.plan import Plan, scored_regions

STAGE = "segmentation"
"""The name of the last stage."""
LICENCE = "unknown"


def branch_of(plan: Plan, members: Sequence[Member]) -> Branch:
    """Return a plan's branch with the given members."""
    return plan.branch.model_copy(update={"members": tuple(members)})


def submission_of(
    plan: Plan, name: str, members: Sequence[Member], licence: str = LICENCE, first: Stage | None = None
) -> Submission:
    """Return a submission of a plan's branch with the given members; first: the stage that it follows."""
    follows = plan.follows if first is not None else None
    stage = Stage(name=STAGE, branches=(branch_of(plan, members),), follows=follows)
    stages = (stage,) if first is None else (first, stage)
    return Submission(name=name, challenge=plan.challenge, licence=licence, stages=stages)


def stage_of(branches: Sequence[Branch], challenge: Challenge, follows: Follows | None = None) -> Stage:
    """Return the stage that merges branches: in regions, where their networks have different outputs."""
    outputs = {(branch.outputs.kind, branch.outputs.names) for branch in branches}
    regions = scored_regions(challenge) if len(outputs) > 1 else None
    return Stage(name=STAGE, regions=regions, branches=tuple(branches), follows=follows)
