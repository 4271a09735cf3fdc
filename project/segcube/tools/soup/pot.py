"""The members of a submission that a soup is made of, and the submission that it becomes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import torch
from safetensors import safe_open

from segcube.backends import check_members
from segcube.core import EnvironmentFault, UsageError, printable
from segcube.networks import NetworkCard, load_network, read_metadata, save_weights
from segcube.spec.submission import (
    LoadedSubmission,
    Member,
    Submission,
    load_for,
    sha256_of,
    write_submission,
)


def average_weights(files: Sequence[Path]) -> tuple[NetworkCard, dict[str, torch.Tensor]]:
    """The mean of each floating tensor over files of one network, in float64, as the first file stores it.

    Integers and booleans, counters and indices that no mean makes sense of, are the first file's. Tensors are
    read one at a time: one state is in memory, however many files there are. Raises UsageError for no file
    and for files of different networks, EnvironmentFault for one that cannot be read.
    """
    card = expect_one_network(files)
    with ExitStack() as stack:
        opened = [stack.enter_context(safe_open(file, framework="pt")) for file in files]
        return card, {name: _mean([one.get_tensor(name) for one in opened]) for name in opened[0].keys()}  # noqa: SIM118


def expect_one_network(files: Sequence[Path]) -> NetworkCard:
    """The network that all files hold. Raises UsageError for no file and for files of different networks."""
    if not files:
        raise UsageError("no weights to average")
    card = read_metadata(files[0])
    for file in files[1:]:
        other = read_metadata(file)
        if (other.network, other.arguments) != (card.network, card.arguments):
            raise UsageError(
                f"holds a {other.network} of {dict(other.arguments)}",
                file=file,
                expected=f"a {card.network} of {dict(card.arguments)}, as {files[0].name}",
            )
    return card


def _mean(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    first = tensors[0]
    if not first.is_floating_point():
        return first.clone()
    total = torch.zeros(first.shape, dtype=torch.float64)
    for tensor in tensors:
        total += tensor
    return (total / len(tensors)).to(first.dtype)


CARD = "MODEL_CARD.md"


@dataclass(frozen=True)
class Pot:
    """A submission, and the stage whose members are averaged."""

    loaded: LoadedSubmission
    stage: str

    @property
    def members(self) -> tuple[Member, ...]:
        """The candidates, in the submission's order."""
        return next(s for s in self.loaded.submission.stages if s.name == self.stage).branches[0].members

    def cook(self, members: Sequence[Member], folder: Path) -> Submission:
        """Write the submission with the mean of some members in the place of all; returns it.

        folder: empty. Raises UsageError for members of different networks, EnvironmentFault for weights that
        cannot be read or written.
        """
        card, weights = average_weights([self.loaded.folder / member.file for member in members])
        notes = "mean of " + ", ".join(member.file for member in members)
        file = self._new_file()
        digest = save_weights(weights, card.network, card.arguments, folder / file, notes)
        submission = self._with(Member(file=file, sha256=digest))
        for name in {member.file for member in submission.members} - {file}:
            shutil.copyfile(self.loaded.folder / name, folder / name)
        for key in submission.keys:
            own = self.loaded.folder / key
            if own.is_file():
                shutil.copyfile(own, folder / own.name)
        write_submission(submission, folder)
        return submission

    def _new_file(self) -> str:
        """A name for the averaged weights that no other stage's member has, upper and lower case alike."""
        stages = [stage for stage in self.loaded.submission.stages if stage.name != self.stage]
        taken = {m.file.lower() for stage in stages for branch in stage.branches for m in branch.members}
        names = chain(["soup.safetensors"], (f"soup-{number}.safetensors" for number in count(2)))
        return next(name for name in names if name not in taken)

    def _with(self, member: Member) -> Submission:
        stages = tuple(
            stage.model_copy(
                update={"branches": (stage.branches[0].model_copy(update={"members": (member,)}),)}
            )
            if stage.name == self.stage
            else stage
            for stage in self.loaded.submission.stages
        )
        return self.loaded.submission.model_copy(update={"stages": stages})


def open_pot(folder: Path, stage: str | None = None) -> Pot:
    """Read a submission whose stage (the last unless it is named) holds the candidates in one branch.

    Raises UsageError for a stage that is not there, or has several branches or one member,
    EnvironmentFault for a folder or weights that are not as submission.yaml says.
    """
    loaded = load_for(folder)
    names = [one.name for one in loaded.submission.stages]
    name = stage or names[-1]
    if name not in names:
        raise UsageError(f"no stage {name!r}", file=folder, expected="one of " + ", ".join(names))
    pot = Pot(loaded, name)
    chosen = loaded.submission.stages[names.index(name)]
    if len(chosen.branches) > 1 or len(pot.members) < 2:
        raise UsageError(
            f"stage {name} has {len(chosen.branches)} branches, and {len(pot.members)} members in the first",
            file=folder,
            expected="one branch with the members to average",
        )
    for member in pot.members:
        file = folder / member.file
        found = sha256_of(file)
        if found != member.sha256:
            raise EnvironmentFault(f"sha256 {found}", file=file, expected=f"sha256 {member.sha256}")
    return pot


def check_soup(folder: Path) -> None:
    """Load a new submission as a run would: its challenge, and every member's sha256, values and network.

    Raises EnvironmentFault that names the file, what was found and what was expected.
    """
    loaded = load_for(folder)
    check_members(loaded)
    digests = {member.file: member.sha256 for member in loaded.submission.members}
    for file, sha256 in digests.items():
        load_network(folder / file, sha256)


def write_soup_card(pot: Pot, members: Sequence[Member], told: str, folder: Path, name: str) -> None:
    """Write MODEL_CARD.md: what the soup was made of, then the source's own card.

    name: of the new submission's folder.
    """
    source = pot.loaded.folder / CARD
    rows = "\n".join(f"| {printable(member.file)} | {member.sha256} |" for member in members)
    before = source.read_text(encoding="utf-8") if source.is_file() else "The source had no card.\n"
    text = (
        f"# {name}\n\n{told} Their weights, of one network, were averaged in float64.\n\n"
        f"| averaged | sha256 |\n|---|---|\n{rows}\n\n## The card of {pot.loaded.folder.name}\n\n{before}"
    )
    (folder / CARD).write_text(text, encoding="utf-8")
