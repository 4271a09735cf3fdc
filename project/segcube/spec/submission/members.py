"""The members of a submission as files, with what their branches expect of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from segcube.core import Shape
from segcube.spec.submission.branch import Branch
from segcube.spec.submission.schema import Stage, Submission


@dataclass(frozen=True)
class MemberFile:
    """A member's weights file, and the channels, outputs and window of its branch."""

    file: Path
    sha256: str
    channels: int
    """Of the branch's image, masks of an earlier stage included."""
    outputs: int
    window: Shape


def member_files(submission: Submission, folder: Path) -> Iterator[MemberFile]:
    """Every member of a submission, in its order."""
    for stage in submission.stages:
        for branch in stage.branches:
            yield from branch_files(stage, branch, submission, folder)


def branch_files(stage: Stage, branch: Branch, submission: Submission, folder: Path) -> list[MemberFile]:
    """The members of one branch, in its order."""
    channels, outputs = len(input_names(stage, branch, submission)), len(branch.outputs.names)
    return [
        MemberFile(folder / member.file, member.sha256, channels, outputs, branch.window.size)
        for member in branch.members
    ]


def input_names(stage: Stage, branch: Branch, submission: Submission) -> tuple[str, ...]:
    """Channels of the branch's image: its own, and a mask for each name of an earlier stage."""
    follows = stage.follows
    if follows is None or follows.as_ != "onehot_channels":
        return branch.channels
    earlier = next(other for other in submission.stages if other.name == follows.stage)
    return branch.channels + mask_names(follows.input_names(earlier.names))


def mask_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the channels that are masks of an earlier stage's labels."""
    return tuple(f"{label} of the previous stage" for label in labels)
