"""Train the starter submissions on made cases alone: python -m segcube.training.starters --out weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from segcube.backends import keep_freed_memory
from segcube.backends.openvino import compile_submission
from segcube.networks import build_network, save_network
from segcube.phantoms import make_phantom
from segcube.spec.challenges import BACKGROUND, Challenge, load_challenge
from segcube.spec.submission import Branch, Member, Stage, load_for, write_submission
from segcube.training.loop import train_network
from segcube.training.patches import TrainPlan
from segcube.training.recipes import STARTERS, Recipe, Starter
from segcube.training.samples import Sample, crop_near, prepare_sample

SEED = 1000
"""Of the made cases that the starters see; score them on cases of another."""
NOTES = "trained on made cases alone; no clinical or challenge model"


def make_starters(
    out: Path,
    which: Sequence[str] = tuple(STARTERS),
    cases: int | None = None,
    steps: int | None = None,
    log: Callable[[str], None] = print,
) -> list[Path]:
    """Train starters and write each as a submission folder below `out`; returns the folders.

    which: names among `STARTERS`. cases, steps: instead of the recipes' own. Takes about an hour on
    two cores. The same machine makes the same weights.
    """
    keep_freed_memory()
    return [_Run(STARTERS[name], out / name, cases, steps, log).make() for name in which]


@dataclass(frozen=True)
class _Run:
    """The making of one starter."""

    starter: Starter
    folder: Path
    cases: int | None
    steps: int | None
    log: Callable[[str], None]

    def make(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        stages = tuple(self._stage(stage) for stage in self.starter.submission.stages)
        write_submission(self.starter.submission.model_copy(update={"stages": stages}), self.folder)
        compile_submission(load_for(self.folder), self.folder, self.log)
        return self.folder

    def _stage(self, stage: Stage) -> Stage:
        near_mm = self.starter.near_mm if stage.follows else None
        branches = tuple(self._branch(branch, near_mm) for branch in stage.branches)
        return stage.model_copy(update={"branches": branches})

    def _branch(self, branch: Branch, near_mm: float | None) -> Branch:
        samples = make_samples(self.starter, branch, self.cases or self.starter.cases, near_mm)
        members = tuple(self._member(member, branch, samples) for member in branch.members)
        return branch.model_copy(update={"members": members})

    def _member(self, member: Member, branch: Branch, samples: Sequence[Sample]) -> Member:
        recipe = self.starter.recipes[member.file]
        plan = plan_of(recipe, branch, self.steps or recipe.steps)
        self.log(f"{self.folder.name}: {member.file}, {len(samples)} cases, {plan.steps} steps")
        torch.manual_seed(recipe.seed)
        network = build_network(recipe.network, recipe.arguments)
        train_network(network, samples, plan, self.log)
        digest = save_network(network, recipe.network, recipe.arguments, self.folder / member.file, NOTES)
        return member.model_copy(update={"sha256": digest})


def make_samples(starter: Starter, branch: Branch, cases: int, near_mm: float | None) -> list[Sample]:
    """The starter's made cases as a branch sees them; near_mm: keep no more than this around the targets."""
    challenge = load_challenge(starter.submission.challenge)
    targets = [_labels_of(name, challenge, starter) for name in branch.outputs.names]
    samples: list[Sample] = []
    for index in range(cases):
        phantom = make_phantom(challenge, SEED, index)
        sample = prepare_sample(phantom, challenge, branch, targets)
        if near_mm is not None:
            x, y, z = (round(near_mm / step) for step in branch.spacing or phantom.grid.spacing)
            sample = crop_near(sample, (x, y, z))
        samples.append(sample)
    return samples


def plan_of(recipe: Recipe, branch: Branch, steps: int) -> TrainPlan:
    """The recipe as a plan: patches as large as it says, or as the branch's windows."""
    return TrainPlan(
        kind=branch.outputs.kind,
        patch=recipe.patch or branch.window.size,
        steps=steps,
        flips=recipe.flips,
        crop_chance=recipe.crop_chance,
        seed=recipe.seed,
        bf16=recipe.bf16,
    )


def _labels_of(output: str, challenge: Challenge, starter: Starter) -> tuple[str, ...]:
    if output == BACKGROUND:
        return (BACKGROUND,)
    return starter.unions.get(output) or challenge.regions[output]


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(prog="python -m segcube.training.starters", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of submission folders")
    parser.add_argument("--only", choices=STARTERS, action="append", help="one starter; may be given again")
    parser.add_argument("--cases", type=int, help="made cases to train on, instead of the recipe's")
    parser.add_argument("--steps", type=int, help="steps a network, instead of the recipe's")
    given = parser.parse_args()
    make_starters(
        given.out, given.only or tuple(STARTERS), given.cases, given.steps, partial(print, flush=True)
    )


if __name__ == "__main__":
    main()
