"""Presets: trade accuracy for speed by omitting mirroring, members and window overlap of a submission."""

from __future__ import annotations

from dataclasses import replace

from segcube.core import LOG, Preset, RunSettings
from segcube.spec.submission.branch import Branch, Member
from segcube.spec.submission.folder import LoadedSubmission
from segcube.spec.submission.schema import Submission

FAST_OVERLAP = 0.25
"""Maximum overlap of windows in preset fast."""


def at_preset(loaded: LoadedSubmission, settings: RunSettings) -> LoadedSubmission:
    """The submission with the settings' preset applied; logs what the preset changes."""
    if settings.preset == "full":
        return loaded
    reduced = apply_preset(loaded.submission, settings.preset, settings.flips)
    LOG.info(describe_preset(settings.preset, loaded.submission, reduced, settings.mirroring))
    return replace(loaded, submission=reduced)


def apply_preset(submission: Submission, preset: Preset, mirroring: bool | None = None) -> Submission:
    """Return the submission reduced to a preset; window sizes and everything else are unchanged.

    full: the whole submission. balanced: without mirroring. fast: without it, with one member for each
    branch (more if the members predict different channels), and an overlap of at most FAST_OVERLAP.
    mirroring: True keeps it in every preset.
    """
    if preset == "full":
        return submission
    return submission.with_branches(
        lambda stage, branch: _branch(branch, stage.names, preset, mirroring is True)
    )


def describe_preset(preset: Preset, full: Submission, reduced: Submission, mirroring: bool = True) -> str:
    """Return members, mirroring and overlap of a preset in one line.

    mirroring: whether the run uses what the preset keeps of it.
    """
    branches = [branch for stage in reduced.stages for branch in stage.branches]
    axes = {" ".join(branch.flips) for branch in branches if mirroring and branch.flips}
    overlaps = ", ".join(f"{value:g}" for value in sorted({branch.window.overlap for branch in branches}))
    line = (
        f"preset {preset}: {len(reduced.members)} of {len(full.members)} members, "
        f"{'mirrors ' + ', '.join(sorted(axes)) if axes else 'no mirrors'}, overlap {overlaps}"
    )
    return f"{line}; same as full" if reduced == full else line


def _branch(branch: Branch, names: tuple[str, ...], preset: Preset, mirroring: bool) -> Branch:
    reduced = branch if mirroring else branch.model_copy(update={"flips": ()})
    if preset == "balanced":
        return reduced
    overlap = min(branch.window.overlap, FAST_OVERLAP)
    window = branch.window.model_copy(update={"overlap": overlap})
    return reduced.model_copy(update={"window": window, "members": _main_members(branch, names)})


def _main_members(branch: Branch, names: tuple[str, ...]) -> tuple[Member, ...]:
    """Return the member with the largest weight, and one for each channel in which the others have weight 0.

    They get the weights of the omitted members, so that the weight of the branch in the stage is unchanged.
    """
    members = branch.members
    kept = {max(range(len(members)), key=lambda i: sum(members[i].weight_for(name) for name in names))}
    for name in names:
        heaviest = max(range(len(members)), key=lambda i: members[i].weight_for(name))
        if members[heaviest].weight_for(name) > 0 and not any(members[i].weight_for(name) > 0 for i in kept):
            kept.add(heaviest)
    chosen = [members[i] for i in sorted(kept)]
    if len(chosen) == len(members):
        return members
    return tuple(_reweighted(member, chosen, members, names) for member in chosen)


def _reweighted(
    member: Member, chosen: list[Member], members: tuple[Member, ...], names: tuple[str, ...]
) -> Member:
    def weight(name: str) -> float:
        sum_of_chosen = sum(m.weight_for(name) for m in chosen)
        sum_of_all = sum(m.weight_for(name) for m in members)
        return member.weight_for(name) * sum_of_all / sum_of_chosen if sum_of_chosen else 0.0

    return member.model_copy(update={"weight": {name: weight(name) for name in names}})
