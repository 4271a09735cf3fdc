"""Trained weights to start from: a member of a submission, or a fold of another run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from segcube.core import EnvironmentFault, UsageError
from segcube.networks import load_weights, read_metadata
from segcube.spec.submission import Branch, Member, Submission, input_names, read_submission
from segcube.training.plan import Plan, read_plan
from segcube.training.run.cases import read_dataset
from segcube.training.run.folder import FoldNumber, RunFolder, parse_fold
from segcube.training.run.origin import check_origins, run_folds
from segcube.training.transfer import NetworkSpec

SUBMISSION, FOLD = "submission.yaml", "fold_"
FOREIGN = (".pth", ".pt", ".ckpt", ".zip")
EXPECTED = "a folder with submission.yaml, one of its .safetensors files, or the folder of a run"


@dataclass(frozen=True)
class Pretrained:
    """A weights file and what its network was trained for.

    channels: of its input, masks of an earlier stage included. run, fold: of another run, whose training
    cases are known; None for a submission.
    """

    file: Path
    branch: Branch
    channels: tuple[str, ...]
    run: RunFolder | None = None
    fold: FoldNumber | None = None

    @property
    def spec(self) -> NetworkSpec:
        """The network of the file. Raises EnvironmentFault for a file without a card."""
        card = read_metadata(self.file)
        return NetworkSpec(card.network, card.arguments, self.channels, self.branch.outputs)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Read the weights. Raises EnvironmentFault for a file that is damaged."""
        return load_weights(self.file, None)

    def sha256(self) -> str:
        """Return the digest of the file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()


def find_pretrained(place: Path, fold: FoldNumber) -> Pretrained:
    """Find the weights that a fold starts from.

    place: a submission with one member, a member's file, the folder of a fold, or a run, whose fold of the
    same number is taken. Raises UsageError for anything else, and EnvironmentFault for a fold that is not
    trained.
    """
    if (place / "plan.yaml").is_file():
        return _of_fold(RunFolder(place), fold)
    if place.is_dir() and (run := _run_of(place)) is not None:
        return _of_fold(run, parse_fold(_fold_name(place)))
    if (place / SUBMISSION).is_file():
        return _only_member(place)
    if place.is_file() and place.suffix == ".safetensors":
        return _of_file(place)
    hint = "segcube import makes a submission of it" if place.suffix in FOREIGN else ""
    raise UsageError("no trained weights", file=place, expected=EXPECTED, hint=hint)


def spec_of(plan: Plan) -> NetworkSpec:
    """Return the network of a plan."""
    return NetworkSpec(plan.network, plan.arguments, plan.input_channels, plan.branch.outputs)


def _of_fold(run: RunFolder, fold: FoldNumber) -> Pretrained:
    folder = run.fold(fold)
    if not folder.final.is_file():
        raise EnvironmentFault(
            "the training of this fold has not ended",
            file=folder.root,
            expected="final.safetensors",
            hint=f"segcube train {run.root} --fold {fold}, or name another fold: {run.root}/fold_N",
        )
    return _of_run(folder.final, run, fold)


def _of_run(file: Path, run: RunFolder, fold: FoldNumber) -> Pretrained:
    """Weights of a fold, with the plan and the folds that they were trained with."""
    plan = read_plan(run.plan)
    check_origins(run, [fold], plan, run_folds(run, read_dataset(run)))
    return Pretrained(file, plan.branch, plan.input_channels, run, fold)


def _of_file(file: Path) -> Pretrained:
    """A member of a submission, or final or best weights of a fold."""
    if (run := _run_of(file.parent)) is not None:
        return _of_run(file, run, parse_fold(_fold_name(file.parent)))
    if not (file.parent / SUBMISSION).is_file():
        raise UsageError("no submission.yaml beside it", file=file, expected=EXPECTED)
    for member, found in _members(read_submission(file.parent), file.parent):
        if member.file == file.name:
            return found
    raise UsageError("is no member of the submission", file=file, expected="a file of submission.yaml")


def _only_member(folder: Path) -> Pretrained:
    members = list(_members(read_submission(folder), folder))
    if len(members) != 1:
        listed = ", ".join(str(folder / member.file) for member, _ in members)
        raise UsageError(
            f"the submission has {len(members)} members", file=folder, expected=f"one of {listed}"
        )
    return members[0][1]


def _run_of(folder: Path) -> RunFolder | None:
    """The run of a fold's folder."""
    run = RunFolder(folder.parent)
    return run if folder.name.startswith(FOLD) and run.plan.is_file() else None


def _fold_name(folder: Path) -> str:
    return folder.name.removeprefix(FOLD)


def _members(submission: Submission, folder: Path) -> Iterator[tuple[Member, Pretrained]]:
    for stage in submission.stages:
        for branch in stage.branches:
            channels = input_names(stage, branch, submission)
            for member in branch.members:
                yield member, Pretrained(folder / member.file, branch, channels)
