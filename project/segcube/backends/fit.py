"""Check that a member's network fits its branch."""

from __future__ import annotations

from segcube.core import EnvironmentFault, UsageError
from segcube.networks import count_channels, read_metadata, window_multiple
from segcube.spec.submission import LoadedSubmission, MemberFile, member_files


def check_members(loaded: LoadedSubmission) -> None:
    """Check every member's channels and window against the network card in its file.

    Raises EnvironmentFault as `check_member` does, for the first that does not fit.
    """
    for member in member_files(loaded.submission, loaded.folder):
        check_member(member)


def check_member(member: MemberFile) -> None:
    """Check one member.

    Raises EnvironmentFault with the file, what was found and what its branch expects.
    """
    card = read_metadata(member.file)
    try:
        found, expected = count_channels(card.network, card.arguments), (member.channels, member.outputs)
    except UsageError as error:
        raise EnvironmentFault(str(error), file=member.file, hint="import the weights again") from error
    if found != expected:
        raise EnvironmentFault(
            f"{card.network} takes {found[0]} channels and gives {found[1]}",
            file=member.file,
            expected=f"{expected[0]} and {expected[1]}, as its branch has them",
            hint="fix channels and outputs of the branch in submission.yaml",
        )
    multiple = window_multiple(card.network, card.arguments)
    if any(size % unit for size, unit in zip(member.window, multiple, strict=True)):
        raise EnvironmentFault(
            f"{card.network} cannot take windows of {member.window}",
            file=member.file,
            expected=f"multiples of {multiple}",
            hint="fix window.size in submission.yaml",
        )
