"""The cases of a run: its challenge, how they are cached, and where their files lie."""

from __future__ import annotations

from segcube.spec.challenges import Challenge
from segcube.spec.submission import read_challenge
from segcube.training.cache import CacheRules
from segcube.training.cases import LabelledCase, Source
from segcube.training.plan import Plan
from segcube.training.run.folder import DatasetFile, RunFolder


def run_challenge(run: RunFolder, plan: Plan) -> Challenge:
    """Return the challenge of a run: a shipped one, or the user's in the run's folder."""
    return read_challenge(plan.challenge, run.root)


def cache_rules(plan: Plan, dataset: DatasetFile, challenge: Challenge) -> CacheRules:
    """Return how the cases of a run are cached."""
    masks = tuple(plan.previous.labels.values()) if plan.previous is not None and plan.mask_channels else ()
    return CacheRules(plan.branch, challenge, dataset.ignore_value, plan.recipe.cascade, masks)


def labelled_cases(run: RunFolder, dataset: DatasetFile) -> list[LabelledCase]:
    """Return the cases of a run."""
    sources = [
        Source(
            read_challenge(entry.challenge, run.root),
            entry.labels,
            entry.ignore_value,
            entry.in_folds,
            entry.patients,
        )
        for entry in dataset.sources
    ]
    return [
        LabelledCase(
            dataset.case(entry.name),
            entry.label,
            entry.patient,
            None if entry.source is None else sources[entry.source],
        )
        for entry in dataset.cases
    ]
