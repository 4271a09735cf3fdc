"""The trained weights of a run's folds, as members of a submission."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from segcube.core import Checkpoint, EnvironmentFault
from segcube.spec.submission import Member, Stage, Submission, write_submission
from segcube.training.plan import Plan, read_plan
from segcube.training.run.cases import read_dataset
from segcube.training.run.folder import FoldFolder, FoldNumber, RunFolder
from segcube.training.run.origin import check_folds, check_origins, run_folds
from segcube.training.submission import LICENCE, branch_of, submission_of


def weights_file(folder: FoldFolder, checkpoint: Checkpoint) -> Path:
    """Return the weights of a fold.

    Raises EnvironmentFault where its training has not ended, or had no validation to choose the best by.
    """
    file = folder.final if checkpoint == "final" else folder.best
    if folder.final.is_file() and not file.is_file():
        hint = "use --checkpoint final"
        raise EnvironmentFault("has no best weights: no validation succeeded", file=folder.root, hint=hint)
    if not folder.final.is_file():
        raise EnvironmentFault(
            "the training of this fold has not ended",
            file=folder.root,
            expected=file.name,
            hint=f"segcube train {folder.root.parent} --fold {folder.root.name.removeprefix('fold_')}",
        )
    return file


def copy_members(
    run: RunFolder, folds: Sequence[FoldNumber], out: Path, checkpoint: Checkpoint = "final", prefix: str = ""
) -> tuple[Member, ...]:
    """Copy the folds' weights to a folder; returns them as members, in this order.

    prefix: of the files' names. Raises EnvironmentFault as `weights_file` does.
    """
    members: list[Member] = []
    for fold in folds:
        file = out / f"{prefix}fold_{fold}.safetensors"
        shutil.copyfile(weights_file(run.fold(fold), checkpoint), file)
        members.append(Member(file=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest()))
    return tuple(members)


def copy_first_stage(
    plan: Plan, folds: Sequence[FoldNumber], out: Path, checkpoint: Checkpoint = "final"
) -> Stage | None:
    """Copy the first stage's weights of the same folds; returns that stage, or None for a single one.

    Raises EnvironmentFault as `weights_file` does, and where its folds or its plan changed since.
    """
    if plan.previous is None:
        return None
    run = RunFolder(plan.previous.run)
    run.check()
    first, known = read_plan(run.plan), run_folds(run, read_dataset(run))
    check_folds(plan.previous, known, run)
    for fold in folds:
        weights_file(run.fold(fold), checkpoint)
    check_origins(run, folds, first, known)
    members = copy_members(run, folds, out, checkpoint, f"{plan.previous.name}_")
    return Stage(name=plan.previous.name, branches=(branch_of(first, members),))


def copy_challenge(run: RunFolder, plan: Plan, out: Path) -> None:
    """Copy the file of a challenge that the user defined."""
    if (own := run.root / plan.challenge).is_file():
        shutil.copyfile(own, out / own.name)


def write_members(
    run: RunFolder,
    plan: Plan,
    folds: Sequence[FoldNumber],
    out: Path,
    checkpoint: Checkpoint = "final",
    licence: str = LICENCE,
) -> Submission:
    """Copy the folds' weights to a folder and write its submission.yaml; returns the submission.

    The file of a challenge that the user defined is copied as well. Raises EnvironmentFault as `weights_file`
    does.
    """
    members = copy_members(run, folds, out, checkpoint)
    copy_challenge(run, plan, out)
    submission = submission_of(plan, run.name, members, licence, copy_first_stage(plan, folds, out))
    write_submission(submission, out)
    return submission
