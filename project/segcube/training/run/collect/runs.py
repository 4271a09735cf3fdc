"""Collect the folds of runs into a submission with a model card."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from segcube.core import Checkpoint, UsageError, explain_validation_error
from segcube.spec.submission import (
    Branch,
    Stage,
    Submission,
    atomic_folder,
    load_for_challenge,
    read_submission,
    sha256_of,
    write_submission,
)
from segcube.training.cases import load_folds
from segcube.training.plan import read_plan
from segcube.training.progress import CURVES
from segcube.training.run.cases import read_dataset, run_challenge
from segcube.training.run.collect.card import CARD, CardFacts, curves_name, model_card
from segcube.training.run.collect.members import copy_challenge, copy_first_stage, copy_members, weights_file
from segcube.training.run.collect.tuned import NO_VALUES, TunedValues, weighted
from segcube.training.run.folder import FoldNumber, RunFolder
from segcube.training.run.origin import check_origins, is_trained_with, run_folds
from segcube.training.run.validate import read_fold_scores, trained_folds
from segcube.training.submission import LICENCE, branch_of, stage_of


@dataclass(frozen=True)
class CollectOptions:
    """What a submission gets.

    folds: of every run, all that are trained by default, and their checkpoint. tuned: rules and weights of
    the runs, as `segcube tune --run` writes them.
    """

    folds: Sequence[FoldNumber] = ()
    checkpoint: Checkpoint = "final"
    licence: str = LICENCE
    tuned: TunedValues = NO_VALUES


def is_collected(run: RunFolder, out: Path) -> bool:
    """Return whether a folder holds the submission of all folds of a run, trained as it is planned now."""
    plan, known = read_plan(run.plan), load_folds(run.folds)
    folds = [run.fold(fold) for fold in range(len(known.validation))]
    trained = all(is_trained_with(fold, plan, known.split(number)) for number, fold in enumerate(folds))
    if not trained or not (out / "submission.yaml").is_file():
        return False
    return [member.sha256 for member in read_submission(out).stages[-1].members] == [
        sha256_of(fold.final) for fold in folds
    ]


def collect_run(run: RunFolder, out: Path, options: CollectOptions | None = None) -> Submission:
    """Write a submission of a run's folds, with MODEL_CARD.md and the curves of each fold.

    out: a new or empty folder, which appears as a whole. Raises EnvironmentFault for a fold that is not
    trained to its end, and UsageError for one that does not exist and for a folder that is not empty.
    """
    return collect_runs([run], out, options)


def collect_runs(runs: Sequence[RunFolder], out: Path, options: CollectOptions | None = None) -> Submission:
    """Write one submission of the folds of several runs, a branch for each run.

    Probabilities are averaged over the members of all runs. Raises as `collect_run` does, and UsageError for
    runs of different challenges or equal names, and for tuned values of other runs.
    """
    options = options or CollectOptions()
    facts = [replace(_facts(run, options), is_only=len(runs) == 1) for run in runs]
    _check_together(facts, options.tuned)
    with atomic_folder(out) as part:
        branches = [_copy_branch(one, part, options) for one in facts]
        name = facts[0].run.name if len(facts) == 1 else out.resolve().name
        first = copy_first_stage(facts[0].plan, facts[0].folds, part)
        submission = _submission(name, branches, facts, options, first)
        write_submission(submission, part)
        load_for_challenge(part)
        (part / CARD).write_text(model_card(submission, facts), encoding="utf-8")
    return submission


def _facts(run: RunFolder, options: CollectOptions) -> CardFacts:
    """Check that the folds of a run are trained as they are planned."""
    dataset, plan = read_dataset(run), read_plan(run.plan)
    folds, known = options.folds or trained_folds(run, or_all=True), run_folds(run, dataset)
    for fold in folds:
        # Raises for one that does not exist
        known.split(fold)
        weights_file(run.fold(fold), options.checkpoint)
    check_origins(run, folds, plan, known)
    return CardFacts(
        run=run,
        folds=folds,
        plan=plan,
        dataset=dataset,
        challenge=run_challenge(run, plan),
        checkpoint=options.checkpoint,
        scores=dict(read_fold_scores(run, folds, options.checkpoint)),
    )


def _check_together(facts: Sequence[CardFacts], tuned: TunedValues) -> None:
    first, *others = facts
    for one in facts if others else ():
        if one.plan.previous is not None:
            found = "a second stage beside other runs"
            raise UsageError(found, file=one.run.root, expected="one run, whose first stage is collected too")
    for one in others:
        if one.challenge != first.challenge:
            found = f"a run of {one.challenge.key} beside one of {first.challenge.key}"
            raise UsageError(found, file=one.run.root, expected="runs of the same challenge")
    names = [one.run.name for one in facts]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(
            f"two runs are named {repeated[0]}", expected="different names, which distinguish their members"
        )
    tuned.check(names)


def _copy_branch(facts: CardFacts, out: Path, options: CollectOptions) -> Branch:
    run, prefix = facts.run, facts.prefix
    members = copy_members(run, facts.folds, out, options.checkpoint, prefix)
    copy_challenge(run, facts.plan, out)
    for fold in facts.folds:
        if (curves := run.fold(fold).root / CURVES).is_file():
            shutil.copyfile(curves, out / curves_name(facts, fold))
    return branch_of(facts.plan, weighted(members, options.tuned.weights.get(run.name)))


def _submission(
    name: str,
    branches: Sequence[Branch],
    facts: Sequence[CardFacts],
    options: CollectOptions,
    first: Stage | None,
) -> Submission:
    try:
        last = stage_of(branches, facts[0].challenge, facts[0].plan.follows)
        return Submission(
            name=name,
            challenge=facts[0].plan.challenge,
            licence=options.licence,
            stages=(last,) if first is None else (first, last),
            postprocess=options.tuned.postprocess,
        )
    except ValidationError as error:
        hint = "change --out or --tuned"
        raise UsageError(explain_validation_error(error, Submission), hint=hint) from error
