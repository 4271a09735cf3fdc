"""Collect the folds of a run into a submission with a model card."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segcube.core import Checkpoint
from segcube.spec.submission import Submission, atomic_folder, read_submission, sha256_of
from segcube.training.cases import load_folds
from segcube.training.plan import read_plan
from segcube.training.progress import CURVES
from segcube.training.run.card import CARD, CardFacts, model_card
from segcube.training.run.folder import FoldNumber, RunFolder, read_dataset
from segcube.training.run.members import weights_file, write_members
from segcube.training.run.origin import check_origins, is_trained_with, run_folds
from segcube.training.run.prepare import run_challenge
from segcube.training.run.validate import read_fold_scores, trained_folds
from segcube.training.submission import LICENCE


@dataclass(frozen=True)
class CollectOptions:
    """What a submission gets: folds, all that are trained by default, their checkpoint, and the licence."""

    folds: Sequence[FoldNumber] = ()
    checkpoint: Checkpoint = "final"
    licence: str = LICENCE


def is_collected(run: RunFolder, out: Path) -> bool:
    """Return whether a folder holds the submission of all folds of a run, trained as it is planned now."""
    plan, known = read_plan(run.plan), load_folds(run.folds)
    folds = [run.fold(fold) for fold in range(len(known.validation))]
    trained = all(is_trained_with(fold, plan, known.split(number)) for number, fold in enumerate(folds))
    if not trained or not (out / "submission.yaml").is_file():
        return False
    return [member.sha256 for member in read_submission(out).members] == [
        sha256_of(fold.final) for fold in folds
    ]


def collect_run(run: RunFolder, out: Path, options: CollectOptions | None = None) -> Submission:
    """Write a submission of a run's folds, with MODEL_CARD.md and the curves of each fold.

    out: a new or empty folder, which appears as a whole. Raises EnvironmentFault for a fold that is not
    trained to its end, and UsageError for one that does not exist and for a folder that is not empty.
    """
    options = options or CollectOptions()
    dataset, plan = read_dataset(run), read_plan(run.plan)
    folds, known = options.folds or trained_folds(run, or_all=True), run_folds(run, dataset)
    for fold in folds:
        # Raises for one that does not exist
        known.split(fold)
        weights_file(run.fold(fold), options.checkpoint)
    check_origins(run, folds, plan, known)
    with atomic_folder(out) as part:
        submission = write_members(run, plan, folds, part, options.checkpoint, options.licence)
        for fold in folds:
            if (curves := run.fold(fold).root / CURVES).is_file():
                shutil.copyfile(curves, part / f"curves_fold_{fold}.png")
        facts = CardFacts(
            submission=submission,
            plan=plan,
            dataset=dataset,
            challenge=run_challenge(run, plan),
            checkpoint=options.checkpoint,
            scores=dict(read_fold_scores(run, folds, options.checkpoint)),
        )
        (part / CARD).write_text(model_card(run, folds, facts), encoding="utf-8")
    return submission
