"""Presets: what a run leaves out of a submission to be done sooner, at a price in accuracy."""

from __future__ import annotations

from segcube.core import Preset
from segcube.spec.submission.branch import Branch, Member
from segcube.spec.submission.schema import Submission

FAST_OVERLAP = 0.25
"""The most that windows overlap."""


def apply_preset(submission: Submission, preset: Preset, flips: bool | None = None) -> Submission:
    """The submission as a preset takes it, window sizes and all else as they are.

    full: as the submission says. balanced: without mirrors. fast: without mirrors, a member a branch, and
    windows that overlap by FAST_OVERLAP at most. flips: true keeps the mirrors under each.
    """
    if preset == "full":
        return submission
    stages = tuple(
        stage.model_copy(
            update={
                "branches": tuple(
                    _branch(branch, stage.names, preset, flips is True) for branch in stage.branches
                )
            }
        )
        for stage in submission.stages
    )
    return submission.model_copy(update={"stages": stages})


def describe_preset(preset: Preset, asked: Submission, taken: Submission, mirrors: bool = True) -> str:
    """What a preset took of a submission, in a line: members, mirrors and overlap.

    mirrors: whether those that it left are taken.
    """
    branches = [branch for stage in taken.stages for branch in stage.branches]
    flips = {" ".join(branch.flips) for branch in branches if mirrors and branch.flips}
    overlaps = ", ".join(f"{value:g}" for value in sorted({branch.window.overlap for branch in branches}))
    told = (
        f"preset {preset}: {len(taken.members)} of {len(asked.members)} members, "
        f"{'mirrors ' + ', '.join(sorted(flips)) if flips else 'no mirrors'}, overlap {overlaps}"
    )
    return f"{told}; as the submission says" if taken == asked else told


def _branch(branch: Branch, names: tuple[str, ...], preset: Preset, mirrored: bool) -> Branch:
    taken = branch if mirrored else branch.model_copy(update={"flips": ()})
    if preset == "balanced":
        return taken
    overlap = min(branch.window.overlap, FAST_OVERLAP)
    window = branch.window.model_copy(update={"overlap": overlap})
    return taken.model_copy(update={"window": window, "members": _spokesmen(branch, names)})


def _spokesmen(branch: Branch, names: tuple[str, ...]) -> tuple[Member, ...]:
    """The member that weighs most, and one more for each name in which none of them has a say.

    Each takes over the weights of those left out, so that the branch counts as much beside others as before.
    """
    members = branch.members
    kept = {max(range(len(members)), key=lambda i: sum(members[i].weighs(name) for name in names))}
    for name in names:
        heaviest = max(range(len(members)), key=lambda i: members[i].weighs(name))
        if members[heaviest].weighs(name) > 0 and not any(members[i].weighs(name) > 0 for i in kept):
            kept.add(heaviest)
    left = [members[i] for i in sorted(kept)]
    return members if len(left) == len(members) else tuple(_for_all(m, left, members, names) for m in left)


def _for_all(
    member: Member, left: list[Member], members: tuple[Member, ...], names: tuple[str, ...]
) -> Member:
    def weight(name: str) -> float:
        of_those_left = sum(m.weighs(name) for m in left)
        of_all = sum(m.weighs(name) for m in members)
        return member.weighs(name) * of_all / of_those_left if of_those_left else 0.0

    return member.model_copy(update={"weight": {name: weight(name) for name in names}})
