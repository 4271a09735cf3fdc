"""Average the weights of members, and write the submission of their soup."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain, count
from pathlib import Path

import torch
from safetensors import safe_open

from segcube.backends import check_members
from segcube.core import UsageError, printable
from segcube.networks import NetworkCard, load_network, read_metadata, save_weights
from segcube.spec.submission import (
    Branch,
    Member,
    Stage,
    Submission,
    atomic_folder,
    load_for_challenge,
    write_submission,
)
from segcube.tools.soup.candidates import Candidates

CARD = "MODEL_CARD.md"


def average_weights(files: Sequence[Path]) -> tuple[NetworkCard, dict[str, torch.Tensor]]:
    """Average each floating-point tensor over files of one network in float64, stored as in the first file.

    Integers and booleans, such as counters and indices, are the first file's. Tensors are read one at a time,
    so that memory holds one state for any number of files. Raises UsageError for no file and for files of
    different networks, EnvironmentFault for an unreadable one.
    """
    card = expect_one_network(files)
    with ExitStack() as stack:
        opened = [stack.enter_context(safe_open(file, framework="pt")) for file in files]
        return card, {name: _mean([one.get_tensor(name) for one in opened]) for name in opened[0].keys()}  # noqa: SIM118


def expect_one_network(files: Sequence[Path]) -> NetworkCard:
    """The network of all files. Raises UsageError for no file and for files of different networks."""
    if not files:
        raise UsageError("no weights to average")
    card = read_metadata(files[0])
    for file in files[1:]:
        other = read_metadata(file)
        if (other.network, other.arguments) != (card.network, card.arguments):
            found, expected = _differences(other, card), f"{_differences(card, other)}, as {files[0].name}"
            raise UsageError(found, file=file, expected=expected)
    return card


def _differences(card: NetworkCard, other: NetworkCard) -> str:
    """A network with those of its arguments that another one does not share."""
    own = {name: value for name, value in card.arguments.items() if other.arguments.get(name) != value}
    return f"{card.network} with {', '.join(f'{name}={value}' for name, value in own.items()) or 'defaults'}"


def _mean(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    first = tensors[0]
    if not first.is_floating_point():
        return first.clone()
    total = torch.zeros(first.shape, dtype=torch.float64)
    for tensor in tensors:
        total += tensor
    return (total / len(tensors)).to(first.dtype)


def uniform_soup(candidates: Candidates, out: Path) -> None:
    """Write the submission with the mean of all candidates to `out`, complete or not at all.

    Raises UsageError for members of different networks and for an `out` that is not empty, EnvironmentFault
    for weights that cannot be read or written.
    """
    write_soup(candidates, candidates.members, f"A uniform soup of {len(candidates.members)} members.", out)


def write_soup(candidates: Candidates, members: Sequence[Member], description: str, out: Path) -> None:
    """Write the submission with the mean of some members and a model card to `out`, complete or not at all.

    The new submission is loaded as in a run before it appears. Raises as `uniform_soup` does.
    """
    with atomic_folder(out) as folder:
        write_averaged(candidates, members, folder)
        _write_card(candidates, members, description, folder, out.absolute().name)
        loaded = load_for_challenge(folder)
        check_members(loaded)
        for file, sha256 in {member.file: member.sha256 for member in loaded.submission.members}.items():
            load_network(folder / file, sha256)


def write_averaged(candidates: Candidates, members: Sequence[Member], folder: Path) -> Submission:
    """Write the submission with the mean of some members in place of all candidates to an empty folder."""
    source = candidates.loaded.folder
    card, weights = average_weights([source / member.file for member in members])
    notes = "mean of " + ", ".join(member.file for member in members)
    file = _new_file(candidates)
    digest = save_weights(weights, card.network, card.arguments, folder / file, notes)
    submission = _with_member(candidates, Member(file=file, sha256=digest))
    for name in {member.file for member in submission.members} - {file}:
        shutil.copyfile(source / name, folder / name)
    for key in submission.challenge_keys:
        own = source / key
        if own.is_file():
            shutil.copyfile(own, folder / own.name)
    write_submission(submission, folder)
    return submission


def _new_file(candidates: Candidates) -> str:
    """A file name that no member of another stage has, on file systems that ignore case too."""
    stages = [stage for stage in candidates.loaded.submission.stages if stage.name != candidates.stage]
    taken = {member.file.lower() for stage in stages for member in stage.members}
    names = chain(["soup.safetensors"], (f"soup-{number}.safetensors" for number in count(2)))
    return next(name for name in names if name not in taken)


def _with_member(candidates: Candidates, member: Member) -> Submission:
    def changed(stage: Stage, branch: Branch) -> Branch:
        return branch.model_copy(update={"members": (member,)}) if stage.name == candidates.stage else branch

    return candidates.loaded.submission.with_branches(changed)


def _write_card(
    candidates: Candidates, members: Sequence[Member], description: str, folder: Path, name: str
) -> None:
    """Write MODEL_CARD.md: the averaged members, then the source's own card."""
    source = candidates.loaded.folder / CARD
    rows = "\n".join(f"| {printable(member.file)} | {member.sha256} |" for member in members)
    before = source.read_text(encoding="utf-8") if source.is_file() else "The source had no card.\n"
    text = (
        f"# {name}\n\n{description} Their weights, of one network, were averaged in float64.\n\n"
        f"| averaged | sha256 |\n|---|---|\n{rows}\n\n## The card of {source.parent.name}\n\n{before}"
    )
    (folder / CARD).write_text(text, encoding="utf-8")
