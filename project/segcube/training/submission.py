"""A submission of a plan: one stage with one branch."""

from __future__ import annotations

from collections.abc import Sequence

from segcube.spec.submission import Branch, Member, Stage, Submission
from segcube.training.plan import Plan

STAGE = "segmentation"
"""The name of the only stage."""
LICENCE = "unknown"


def submission_of(plan: Plan, name: str, members: Sequence[Member], licence: str = LICENCE) -> Submission:
    """Return a submission of a plan's branch with the given members."""
    branch: Branch = plan.branch.model_copy(update={"members": tuple(members)})
    stage = Stage(name=STAGE, branches=(branch,))
    return Submission(name=name, challenge=plan.challenge, licence=licence, stages=(stage,))
