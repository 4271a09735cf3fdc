"""Prepare the cache of a run: the cases of its plan on the branch's grid."""

from __future__ import annotations

from collections.abc import Iterator

from segcube.core import prefetch
from segcube.spec.challenges import Challenge
from segcube.spec.submission import read_challenge
from segcube.training.cache import CacheOutcome, CacheRules, prepare_cases
from segcube.training.cases import LabelledCase, Source
from segcube.training.plan import Plan, read_plan
from segcube.training.run.folder import DatasetFile, RunFolder, read_dataset


def prepare_run(run: RunFolder) -> Iterator[CacheOutcome]:
    """Prepare each case that is not cached yet, in threads; yields the outcome of each, in order.

    Several processes may prepare one run at once. A case that cannot be prepared costs only itself. Raises
    EnvironmentFault where the cache cannot be written.
    """
    dataset, plan = read_dataset(run), read_plan(run.plan)
    rules = cache_rules(plan, dataset, run_challenge(run, plan))

    def prepare(case: LabelledCase) -> CacheOutcome:
        (outcome,) = prepare_cases([case], rules, run.cache)
        return outcome

    yield from prefetch(prepare, labelled_cases(run, dataset))


def run_challenge(run: RunFolder, plan: Plan) -> Challenge:
    """Return the challenge of a run: a shipped one, or the user's in the run's folder."""
    return read_challenge(plan.challenge, run.root)


def cache_rules(plan: Plan, dataset: DatasetFile, challenge: Challenge) -> CacheRules:
    """Return how the cases of a run are cached."""
    return CacheRules(plan.branch, challenge, dataset.ignore_value)


def labelled_cases(run: RunFolder, dataset: DatasetFile) -> list[LabelledCase]:
    """Return the cases of a run."""
    sources = [
        Source(read_challenge(entry.challenge, run.root), entry.labels, entry.ignore_value, entry.in_folds)
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
