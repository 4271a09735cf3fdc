"""A small diffusion model of phantoms: whether samples show their label maps, and help a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from experiments.commands import (
    Coarse,
    Training,
    make_phantoms,
    mean_scores,
    segcube,
    train_run,
    write_recipe,
)

BRAINS = Coarse("brats2023-gli", (48, 48, 31), 5.0)
CASES, SEED, UNSEEN_SEED, CHECKED, SAMPLES, STEPS = 24, 5, 6, 12, 36, 500
REGIONS = ("WT", "TC", "ET")


def run_diffusion(folder: Path) -> list[str]:
    """Train the model, check its samples, and train networks with and without them."""
    challenge = BRAINS.write(folder / "brains.yaml")
    make_phantoms(folder, "phantoms", challenge, CASES, SEED)
    make_phantoms(folder, "unseen", challenge, CHECKED, UNSEEN_SEED, first=101)
    small = {"steps": STEPS, "validation": {"every": STEPS, "cases": 2}}
    real = write_recipe(folder / "real.yaml", "fast", small)
    data = ["phantoms/data", "--ref", "phantoms/labels", "--challenge", challenge]
    runs = {
        "cases": train_run(folder, Training("cases", [*data, "--recipe", real, "--split", "2"], fold="0"))
    }
    _sample(folder, "checked", CHECKED, "phantoms")
    _sample(folder, "samples", SAMPLES, "deformed")
    for name, split in (("samples", _alone(folder)), ("both", "runs/cases/folds.yaml")):
        runs[name] = train_run(
            folder, Training(name, [*data, "--recipe", real, "--split", split, *_extra("samples")], fold="0")
        )
    return [*_checks(folder, challenge), "", *_table(runs)]


def _sample(folder: Path, out: str, count: int, masks: str) -> None:
    """Train the model, if that is not done, and sample from it."""
    segcube(folder, "synthesize", "train", "runs/cases", "--fold", "0", "--recipe", "toy", "-o", "model")
    segcube(folder, "synthesize", "sample", "model", "-o", out, "--count", str(count), "--masks", masks)


def _extra(samples: str) -> list[str]:
    place = ["--extra", f"{samples}/data", "--extra-ref", f"{samples}/labels"]
    return [*place, "--extra-challenge", f"{samples}/challenge.yaml", "--sample", "all"]


def _alone(folder: Path) -> str:
    """Write folds with the validation cases of the run of cases, which samples alone train."""
    samples = [file.name for file in sorted((folder / "samples" / "data").iterdir()) if file.is_dir()]
    folds = yaml.safe_load((folder / "runs" / "cases" / "folds.yaml").read_text())["validation"]
    file = folder / "alone.json"
    file.write_text(json.dumps([{"train": samples, "val": names} for names in folds]))
    return file.name


def _checks(folder: Path, challenge: Path) -> Iterator[str]:
    """Agreement of a network of phantoms with label maps: of samples, and of phantoms."""
    changes = {"steps": STEPS, "synthetic": {"share": 1, "spacing": BRAINS.spacing}}
    recipe = write_recipe(
        folder / "reference.yaml", "fast", changes | {"validation": {"every": STEPS, "cases": 2}}
    )
    words = ["unseen/data", "--ref", "unseen/labels", "--challenge", challenge, "--recipe", recipe]
    run = train_run(folder, Training("reference", words, fold="0"))
    scores = {f"{CHECKED} unseen phantoms": mean_scores(run, ("dice",))}
    shutil.rmtree(folder / "reference", ignore_errors=True)
    segcube(folder, "collect", "runs/reference", "--folds", "0", "-o", "reference")
    segcube(folder, "infer", "-i", "checked/data", "-o", "maps", "-w", "reference")
    segcube(
        folder,
        *("evaluate", "--maps", "maps", "--ref", "checked/labels"),
        *("--challenge", "checked/challenge.yaml", "--scores", "scores.json"),
    )
    found = json.loads((folder / "scores.json").read_text())["mean"]
    scores[f"{CHECKED} samples"] = {region: {"dice": float(row["dice"])} for region, row in found.items()}
    yield "| a network of phantoms on | " + " | ".join(f"Dice {region}" for region in REGIONS) + " |"
    yield "|---|---|---|---|"
    for name, regions in scores.items():
        yield f"| {name} | " + " | ".join(f"{regions[region]['dice']:.3f}" for region in REGIONS) + " |"


def _table(runs: dict[str, Path]) -> Iterator[str]:
    yield "| trained on | " + " | ".join(f"Dice {region}" for region in REGIONS) + " |"
    yield "|---|---|---|---|"
    titles = {"cases": "12 cases", "samples": f"{SAMPLES} samples", "both": f"12 cases and {SAMPLES} samples"}
    for name, run in runs.items():
        scores = mean_scores(run, ("dice",))
        yield (
            f"| {titles[name]} | " + " | ".join(f"{scores[region]['dice']:.3f}" for region in REGIONS) + " |"
        )
