"""What a fold is trained on: plan, split and cached cases."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from segcube.core import Clock
from segcube.spec.challenges import Challenge
from segcube.training.augment import make_batch
from segcube.training.cache import CachedCase, CaseSource, open_cache
from segcube.training.cases import Split
from segcube.training.keys import StepKey
from segcube.training.loop import BatchSource
from segcube.training.plan import Plan, read_plan
from segcube.training.run.cases import DatasetFile, cache_rules, labelled_cases, read_dataset, run_challenge
from segcube.training.run.folder import FoldNumber, RunFolder
from segcube.training.run.origin import Origin, origin_of, run_folds
from segcube.training.run.previous import with_previous_maps
from segcube.training.run.start import Start
from segcube.training.sampling import draw_patches
from segcube.training.signals import Requests
from segcube.training.step import TrainingBatch
from segcube.training.stream import PhantomStream, StreamRules


@dataclass(frozen=True)
class FoldData:
    """What a fold is trained on."""

    plan: Plan
    challenge: Challenge
    dataset: DatasetFile
    split: Split
    cases: tuple[CachedCase, ...]
    """The training cases."""
    previous: Mapping[str, Path | None] = field(default_factory=dict)
    """The first stage's map of each case, in a cascade."""
    start: Start | None = None
    stream: PhantomStream | None = None

    @property
    def origin(self) -> Origin:
        """What the steps depend on, but their number."""
        cases = {case.name: case.record.digest for case in self.cases}
        return origin_of(self.plan, self.split, cases, self.start.file.digest if self.start else None)


def open_fold(run: RunFolder, fold: FoldNumber) -> FoldData:
    """Read plan, folds and cache of a run for one fold. Raises as `train_fold` does."""
    dataset, plan = read_dataset(run), read_plan(run.plan)
    challenge = run_challenge(run, plan)
    split = run_folds(run, dataset).split(fold)
    rules = cache_rules(plan, dataset, challenge)
    cases = {case.name: case for case in with_previous_maps(labelled_cases(run, dataset), plan)}
    names = split.training if plan.recipe.uses_cases else ()
    opened = open_cache(run.cache, names, rules, cases)
    previous = {name: case.previous for name, case in cases.items()}
    return FoldData(plan, challenge, dataset, split, opened, previous)


@contextmanager
def open_stream(data: FoldData, requests: Requests) -> Generator[PhantomStream | None]:
    """Open the phantoms that a fold trains on, until the end of the block; None for a recipe without."""
    synthetic = data.plan.recipe.synthetic
    if synthetic is None:
        yield None
        return
    rules = StreamRules(cache_rules(data.plan, data.dataset, data.challenge), synthetic)
    with PhantomStream(rules, data.plan.batch, requests) as stream:
        yield stream


def batch_source(
    cases: CaseSource, plan: Plan, device: torch.device, stream: PhantomStream | None = None
) -> BatchSource:
    """Return the function that makes the batch of a step, of cases and of the stream's phantoms."""
    rules, samples = plan.patch_rules, range(plan.batch)

    def make(key: StepKey, clock: Clock) -> TrainingBatch:
        with clock.step("data"):
            phantoms = stream.at(key.step) if stream is not None else ()
            draws = draw_patches(cases.cases, rules, key, samples, phantoms)
        with clock.step("augment"):
            numbers, count = {draw.case for draw in draws}, len(cases)
            shown = {n: cases[n] if n < count else phantoms[n - count].tensors for n in numbers}
            return make_batch(shown, draws, rules, key, device)

    return make
