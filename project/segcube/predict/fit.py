"""Check that a member's network fits the branch that it stands in."""

from __future__ import annotations

from pathlib import Path

from segcube.checkpoints import read_metadata
from segcube.errors import EnvironmentFault, UsageError
from segcube.networks import count_channels, window_multiple
from segcube.submission import Branch, Stage, Submission


def check_members(submission: Submission, folder: Path) -> None:
    """Check every member's channels and window against what its own file says of its network.

    Raises EnvironmentFault as `check_member` does, for the first that does not fit.
    """
    for stage in submission.stages:
        for branch in stage.branches:
            for member in branch.members:
                check_member(folder / member.file, branch, channels_in(stage, branch, submission))


def check_member(file: Path, branch: Branch, channels: int) -> None:
    """Check one member of a branch whose image has so many channels.

    Raises EnvironmentFault that names the file, what was found and what its branch asks for.
    """
    card = read_metadata(file)
    try:
        found, asked = count_channels(card.network, card.arguments), (channels, len(branch.outputs.names))
    except UsageError as error:
        raise EnvironmentFault(error.sentence(), file=file, mend="import the weights again") from error
    if found != asked:
        raise EnvironmentFault(
            f"{card.network} takes {found[0]} channels and gives {found[1]}",
            file=file,
            expected=f"{asked[0]} and {asked[1]}, as its branch has them",
            mend="mend channels and outputs of the branch in submission.yaml",
        )
    multiple = window_multiple(card.network, card.arguments)
    if any(size % unit for size, unit in zip(branch.window.size, multiple, strict=True)):
        raise EnvironmentFault(
            f"{card.network} cannot take windows of {branch.window.size}",
            file=file,
            expected=f"multiples of {multiple}",
            mend="mend window.size in submission.yaml",
        )


def channels_in(stage: Stage, branch: Branch, submission: Submission) -> int:
    """Channels of the branch's image: its own, and a mask for each name of an earlier stage."""
    follows = stage.follows
    if follows is None or follows.as_ != "onehot_channels":
        return len(branch.channels)
    earlier = next(other for other in submission.stages if other.name == follows.stage)
    return len(branch.channels) + len(follows.taken(earlier.names))
