"""Prepare the cache of a run: the cases of its plan on the branch's grid."""

from __future__ import annotations

from collections.abc import Iterator

from segcube.core import prefetch
from segcube.training.cache import CacheOutcome, prepare_cases
from segcube.training.cases import LabelledCase
from segcube.training.plan import read_plan
from segcube.training.run.cases import cache_rules, labelled_cases, read_dataset, run_challenge
from segcube.training.run.folder import RunFolder
from segcube.training.run.lineage import check_origins_of_samples
from segcube.training.run.previous import with_previous_maps


def prepare_run(run: RunFolder) -> Iterator[CacheOutcome]:
    """Prepare each case that is not cached yet, in threads; yields the outcome of each, in order.

    Several processes may prepare one run at once. A case that cannot be prepared costs only itself. A run
    that trains on phantoms alone has none to prepare. Raises EnvironmentFault where the cache cannot be
    written, UsageError for other samples than planned, and as `with_previous_maps` does.
    """
    dataset, plan = read_dataset(run), read_plan(run.plan)
    if not plan.recipe.uses_cases:
        return
    check_origins_of_samples(run)
    rules = cache_rules(plan, dataset, run_challenge(run, plan))

    def prepare(case: LabelledCase) -> CacheOutcome:
        (outcome,) = prepare_cases([case], rules, run.cache)
        return outcome

    yield from prefetch(prepare, with_previous_maps(labelled_cases(run, dataset), plan))
