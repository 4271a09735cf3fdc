"""From trained weights to a submission: one branch, with a member for each fold."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from segcube.core import EnvironmentFault
from segcube.spec.submission import Branch, Member, Stage, Submission, write_submission
from segcube.training.plan import Plan
from segcube.training.run_folder import FoldFolder, FoldNumber, RunFolder

STAGE = "segmentation"
"""The name of a submission's only stage."""
LICENCE = "unknown"
Checkpoint = Literal["final", "best"]


def submission_of(plan: Plan, name: str, members: Sequence[Member]) -> Submission:
    """Return a submission of a plan's branch with the given members."""
    branch: Branch = plan.branch.model_copy(update={"members": tuple(members)})
    stage = Stage(name=STAGE, branches=(branch,))
    return Submission(name=name, challenge=plan.challenge, licence=LICENCE, stages=(stage,))


def weights_file(folder: FoldFolder, checkpoint: Checkpoint) -> Path:
    """Return the weights of a fold. Raises EnvironmentFault where its training has not ended."""
    file = folder.final if checkpoint == "final" else folder.best
    if not folder.final.is_file() or not file.is_file():
        raise EnvironmentFault(
            "the training of this fold has not ended",
            file=folder.root,
            expected=file.name,
            hint=f"segcube train {folder.root.parent} --fold {folder.root.name.removeprefix('fold_')}",
        )
    return file


def write_members(
    run: RunFolder, plan: Plan, folds: Sequence[FoldNumber], out: Path, checkpoint: Checkpoint = "final"
) -> Submission:
    """Copy the folds' weights to a folder and write its submission.yaml; returns the submission.

    Raises EnvironmentFault as `weights_file` does.
    """
    members: list[Member] = []
    for fold in folds:
        source = weights_file(run.fold(fold), checkpoint)
        file = out / f"fold_{fold}.safetensors"
        shutil.copyfile(source, file)
        members.append(Member(file=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest()))
    submission = submission_of(plan, run.name, members)
    write_submission(submission, out)
    return submission
