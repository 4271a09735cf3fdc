"""The first stage of a cascade: its run, and its label maps out of fold, which train the second stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from segcube.core import LOG, EnvironmentFault, UsageError, count_of
from segcube.spec.challenges import BACKGROUND, Challenge
from segcube.spec.submission import sha256_of
from segcube.training.cases import Folds, LabelledCase, load_folds
from segcube.training.plan import Plan, PreviousStage, read_plan
from segcube.training.run.cases import read_dataset, run_challenge
from segcube.training.run.folder import FoldNumber, RunFolder
from segcube.training.run.origin import check_folds, folds_digest
from segcube.training.run.validate import FoldScores, read_fold_scores
from segcube.training.submission import STAGE


def find_previous(place: Path, challenge: Challenge, folds: Folds) -> PreviousStage:
    """Return the first stage of a cascade, for a run with these folds.

    Raises UsageError for a run that is itself a second stage, has channels that the challenge lacks, or has
    other folds: a mask of a case that its fold was trained on is better than those of new cases.
    """
    run = RunFolder(place.absolute())
    run.check()
    plan = read_plan(run.plan)
    if plan.previous is not None:
        found = "is a second stage itself"
        raise UsageError(found, file=place, expected="the run of a first stage")
    if missing := [name for name in plan.branch.channels if name not in challenge.channel_names]:
        found = f"has the channels {', '.join(missing)}, which {challenge.key} does not have"
        raise UsageError(found, file=place, expected=f"some of {', '.join(challenge.channel_names)}")
    digest = folds_digest(folds)
    if folds_digest(load_folds(run.folds)) != digest:
        raise UsageError(
            "the first stage has other folds, so that masks of cases that trained it would be used",
            file=run.folds,
            expected="the same validation cases in each fold",
            hint=f"plan with --split {run.folds}",
        )
    if folds.training_only:
        raise UsageError(
            f"{folds.training_only[0]} only trains, and has no mask out of fold",
            file=run.folds,
            expected="folds that validate every case",
        )
    # Two stages of one name would be ambiguous
    name = run.name if run.name != STAGE else f"{STAGE}-first"
    first = run_challenge(run, plan)
    paint = first.write if plan.branch.outputs.kind == "regions" else ()
    names = [one.label for one in paint] if paint else plan.branch.outputs.names
    labels = {label: first.labels[label] for label in names if label != BACKGROUND}
    return PreviousStage(run=run.root, name=name, labels=labels, paint=paint, folds=digest)


def with_previous_maps(cases: Sequence[LabelledCase], plan: Plan) -> list[LabelledCase]:
    """Return the cases with the first stage's maps out of fold, where the plan is of a second stage.

    Raises EnvironmentFault where the folds of the first stage changed since it was planned, and where a fold
    was not validated with its present weights.
    """
    if plan.previous is None:
        return list(cases)
    run = RunFolder(plan.previous.run)
    run.check()
    known, first = load_folds(run.folds), read_plan(run.plan)
    check_folds(plan.previous, known, run)
    numbers: list[FoldNumber] = list(range(len(known.validation)))
    validated = dict(read_fold_scores(run, numbers, "final"))
    if missing := [str(fold) for fold in numbers if fold not in validated]:
        raise EnvironmentFault(
            f"fold {', '.join(missing)} of the first stage has no label maps of its present weights",
            file=run.root,
            expected="validated folds",
            hint=f"segcube train {run.root}, then segcube validate {run.root}",
        )
    _warn_of_other_labels(cases, run, validated.values())
    challenge = run_challenge(run, first)
    maps = {
        name: run.validated(fold).maps / challenge.output_name(name)
        for fold, names in enumerate(known.validation)
        for name in names
    }
    return [replace(case, previous=maps[case.name]) for case in cases]


def _warn_of_other_labels(
    cases: Sequence[LabelledCase], first: RunFolder, validated: Iterable[FoldScores]
) -> None:
    """Warn where cases have other label maps than those of the same names in the first stage."""
    dataset = read_dataset(first)
    scored = {name: digest for scores in validated for name, digest in scores.references.items()}
    elsewhere = [case for case in cases if case.name in scored and case.label != dataset.label(case.name)]
    others = [case for case in elsewhere if sha256_of(case.label) != scored[case.name]]
    if others:
        found = (
            f"{count_of(len(others), 'case')}, such as {others[0].name}, {'have' if others[1:] else 'has'}"
        )
        LOG.warning("%s another label map than in the first stage: the images should be the same", found)
