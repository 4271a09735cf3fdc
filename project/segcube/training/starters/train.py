"""Train the starter submissions on synthetic cases: python -m segcube.training.starters --out weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from segcube.backends import keep_freed_memory
from segcube.backends.openvino import compile_submission
from segcube.networks import build_network, save_network
from segcube.phantoms import make_phantom
from segcube.spec.challenges import BACKGROUND, Challenge, load_challenge
from segcube.spec.submission import Branch, Member, Stage, load_for_challenge, write_submission
from segcube.training.starters.fit import train_network
from segcube.training.starters.patches import TrainPlan
from segcube.training.starters.recipes import STARTERS, Recipe, Starter
from segcube.training.starters.samples import Sample, crop_near, prepare_sample

SEED = 1000
"""Of the synthetic training cases; score starters on cases of another seed."""
NOTES = "trained on synthetic cases alone; no clinical or challenge model"


def make_starters(
    out: Path,
    which: Sequence[str] = tuple(STARTERS),
    cases: int | None = None,
    steps: int | None = None,
    log: Callable[[str], None] = print,
) -> list[Path]:
    """Train starters and write each as a submission folder below `out`; returns the folders.

    which: names in `STARTERS`. cases, steps: in place of the recipes'. Takes about an hour on two cores. The
    same machine gives the same weights.
    """
    keep_freed_memory()
    return [_train_starter(STARTERS[name], out / name, cases, steps, log) for name in which]


def _train_starter(
    starter: Starter, folder: Path, cases: int | None, steps: int | None, log: Callable[[str], None]
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stages: list[Stage] = []
    for stage in starter.submission.stages:
        branches: list[Branch] = []
        for branch in stage.branches:
            near_mm = starter.near_mm if stage.follows else None
            samples = make_samples(starter, branch, cases or starter.cases, near_mm)
            members: list[Member] = []
            for member in branch.members:
                recipe = starter.recipes[member.file]
                plan = plan_of(recipe, branch, steps or recipe.steps)
                log(f"{folder.name}: {member.file}, {len(samples)} cases, {plan.steps} steps")
                torch.manual_seed(recipe.seed)
                network = build_network(recipe.network, recipe.arguments)
                train_network(network, samples, plan, log)
                file = folder / member.file
                digest = save_network(network, recipe.network, recipe.arguments, file, NOTES)
                members.append(member.model_copy(update={"sha256": digest}))
            branches.append(branch.model_copy(update={"members": tuple(members)}))
        stages.append(stage.model_copy(update={"branches": tuple(branches)}))
    write_submission(starter.submission.model_copy(update={"stages": tuple(stages)}), folder)
    compile_submission(load_for_challenge(folder), folder, log)
    return folder


def make_samples(starter: Starter, branch: Branch, cases: int, near_mm: float | None) -> list[Sample]:
    """Make the training samples of a branch; near_mm: crop to the targets and this margin."""
    challenge = load_challenge(starter.submission.challenge)
    targets = [_labels_of(name, challenge, starter) for name in branch.outputs.names]
    samples: list[Sample] = []
    for index in range(cases):
        phantom = make_phantom(challenge, SEED, index)
        sample = prepare_sample(phantom, challenge, branch, targets)
        if near_mm is not None:
            x, y, z = (round(near_mm / step) for step in branch.spacing_of(phantom.grid.spacing))
            sample = crop_near(sample, (x, y, z))
        samples.append(sample)
    return samples


def plan_of(recipe: Recipe, branch: Branch, steps: int) -> TrainPlan:
    """The training plan of a recipe, with patches of its own size or of the branch's window."""
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
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(prog="python -m segcube.training.starters", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of submission folders")
    parser.add_argument("--only", choices=STARTERS, action="append", help="one starter; repeat for more")
    parser.add_argument("--cases", type=int, help="synthetic cases to train on, in place of the recipe's")
    parser.add_argument("--steps", type=int, help="steps for each network, in place of the recipe's")
    arguments = parser.parse_args()
    make_starters(
        arguments.out,
        arguments.only or tuple(STARTERS),
        arguments.cases,
        arguments.steps,
        partial(print, flush=True),
    )
