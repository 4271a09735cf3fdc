"""Out-of-fold probabilities of training runs: each case by the fold that was not trained on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segcube.core import UsageError
from segcube.inference import SavedProbabilities, channel_matrix
from segcube.spec.challenges import Challenge
from segcube.tools.tune.cases import RegionSums
from segcube.training import RunFolder, stage_of, trained_folds
from segcube.training.plan import Plan, read_plan
from segcube.training.run import read_dataset, read_fold_scores, run_challenge, run_folds


@dataclass(frozen=True)
class OutOfFold:
    """The cases that every run validated; files: the probabilities of each run.

    sums: of runs with different outputs.
    """

    challenge: Challenge
    runs: tuple[str, ...]
    references: Mapping[str, Path]
    files: Mapping[str, tuple[Path, ...]]
    ignore_value: int | None
    patients: Mapping[str, str]
    notices: tuple[str, ...]
    sums: RegionSums | None = None


def find_out_of_fold(folders: Sequence[Path]) -> OutOfFold:
    """Find the out-of-fold probabilities of runs that were validated with them.

    Cases that not all runs validated are left out with a notice. Raises UsageError for runs of different
    challenges, folds without probabilities of their present weights, and where no case is left.
    """
    runs = [RunFolder(folder) for folder in folders]
    plans = [read_plan(run.plan) for run in runs if run.check() is None]
    challenges = [run_challenge(run, plan) for run, plan in zip(runs, plans, strict=True)]
    for run, challenge in zip(runs, challenges, strict=True):
        if challenge != challenges[0]:
            found = f"a run of {challenge.key} beside one of {challenges[0].key}"
            raise UsageError(found, file=run.root, expected="runs of the same challenge")
    names = tuple(run.name for run in runs)
    if len(set(names)) < len(names):
        raise UsageError(f"runs named {', '.join(names)}", expected="different names")
    files = [_files_of(run) for run in runs]
    common = sorted(set[str].intersection(*(set(found) for found in files)))
    if not common:
        raise UsageError("no case that every run validated", file=folders[0], expected="the same cases")
    others = sorted(set[str].union(*(set(found) for found in files)) - set(common))
    dataset = read_dataset(runs[0])
    return OutOfFold(
        challenges[0],
        names,
        {case: dataset.label(case) for case in common},
        {case: tuple(found[case] for found in files) for case in common},
        dataset.ignore_value,
        {entry.name: entry.patient for entry in dataset.cases},
        tuple(f"{case}: not validated by every run" for case in others),
        _sums_of(plans, challenges[0]),
    )


def _sums_of(plans: Sequence[Plan], challenge: Challenge) -> RegionSums | None:
    """The regions that a submission of these plans merges; None where their outputs are the same."""
    branches = [plan.branch for plan in plans]
    stage = stage_of(branches, challenge)
    if stage.regions is None:
        return None
    return RegionSums(stage.names, tuple(channel_matrix(stage, branch, challenge) for branch in branches))


def _files_of(run: RunFolder) -> dict[str, Path]:
    """The probabilities of each validation case of the trained folds."""
    folds, known = trained_folds(run), run_folds(run, read_dataset(run))
    validated = {fold for fold, scores in read_fold_scores(run, folds, "final") if scores.probabilities}
    found: dict[str, Path] = {}
    for fold in folds:
        saved = SavedProbabilities(run.validated(fold).probabilities)
        files = {case: saved.file(case) for case in known.split(fold).validation}
        if fold not in validated or not all(file.is_file() for file in files.values()):
            raise UsageError(
                f"fold {fold} has no out-of-fold probabilities of its weights",
                file=run.validation,
                expected="a file for each validation case",
                hint=f"segcube validate {run.root} --save-probabilities",
            )
        found |= files
    return found
