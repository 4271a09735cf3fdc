"""Dice after equal training: both trainers side by side for each seed, scored by the same inference."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import torch

from segcube.networks import save_network
from segcube.training import RunFolder, ValidateOptions, validate_run
from segcube.training.plan import build_training_network, read_plan, write_plan
from training.contestants import nnunet_command, prepare, segcube_command
from training.data import REGION, LabelledScan, RawData, write_heart_challenge, write_raw
from training.plans import NetworkPlan

EPOCH = 50
PLAN = NetworkPlan(
    patch=(16, 64, 64),
    spacing=(5.0, 2.5, 2.5),
    features=(8, 16, 32, 64),
    strides=((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2)),
    kernels=((1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
)


@dataclass(frozen=True)
class DataSet:
    """Steps, how many cases train and validate, and the largest difference of the means."""

    name: str
    steps: int
    """A multiple of an epoch."""
    training: int
    validation: int
    tolerance: float


@dataclass(frozen=True)
class Pair:
    """Mean Dice of the validation cases, and seconds, of nnU-Net's training and segcube's with a seed."""

    data: str
    steps: int
    seed: int
    dice: tuple[float, float]
    seconds: tuple[float, float]


def prepare_data(data: DataSet, scans: Callable[[], Iterable[LabelledScan]], folder: Path) -> None:
    """Write the data set, a planned run and both caches, once."""
    if (folder / "ready").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    write_raw(scans(), RawData(PLAN, ["lge"], ["background", REGION], data.training), folder)
    write_heart_challenge(folder / "challenge.yaml")
    short = {"steps": data.steps, "epoch": EPOCH, "schedule": {"interval": EPOCH}, "precision": "fp32"}
    changes = short | {"validation": {"every": data.steps, "cases": 1}}
    prepare(folder, str(folder / "challenge.yaml"), changes)
    (folder / "ready").touch()


def train_pair(data: DataSet, seed: int, folder: Path) -> Pair:
    """Train both at once, unless they are trained, and score the weights of both."""
    here = folder / f"seed-{seed}"
    result = here / "result.json"
    if result.exists():
        return Pair(**json.loads(result.read_text()))
    shutil.rmtree(here, ignore_errors=True)
    own, published = RunFolder(here / "segcube"), RunFolder(here / "nnunet")
    shutil.copytree(folder / "run", own.root)
    plan = read_plan(own.plan)
    recipe = plan.recipe.model_copy(update={"seed": seed})
    write_plan(plan.model_copy(update={"recipe": recipe}), own.plan)
    shutil.copytree(own.root, published.root)
    weights = published.fold(0).root
    weights.mkdir()
    commands = {
        "nnunet": nnunet_command(folder, weights, seed, data.steps, EPOCH),
        "segcube": segcube_command(own),
    }
    seconds = run_together(commands, here)
    network = build_training_network(plan, torch.device("cpu"))
    network.load_state_dict(torch.load(weights / "weights.pt", weights_only=True))
    save_network(network, plan.network, plan.arguments, published.fold(0).final)
    shutil.copyfile(own.fold(0).origin, published.fold(0).origin)
    on_cpu = ValidateOptions(device="cpu")
    dices = [validate_run(run, [0], on_cpu).mean[REGION]["dice"] for run in (published, own)]
    pair = Pair(data.name, data.steps, seed, (dices[0], dices[1]), (seconds[0], seconds[1]))
    result.write_text(json.dumps(asdict(pair)))
    return pair


def run_together(commands: Mapping[str, Sequence[str | Path]], logs: Path) -> list[float]:
    """Run commands at once with a thread each; returns the seconds of each. Raises for one that fails."""
    threads = {"OMP_NUM_THREADS": "1", "SEGCUBE_THREADS": "1", "nnUNet_n_proc_DA": "0"}

    def run(name: str) -> float:
        start = perf_counter()
        with (logs / f"{name}.log").open("wb") as log:
            subprocess.run(commands[name], env=os.environ | threads, check=True, stdout=log, stderr=log)
        return perf_counter() - start

    with ThreadPoolExecutor() as pool:
        return list(pool.map(run, commands))
