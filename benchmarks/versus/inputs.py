"""The inputs of a comparison: cases, nnU-Net's model folder, and its import as a submission."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from time import perf_counter

import numpy as np
import yaml
from cases import write_cases
from nibabel.nifti1 import Nifti1Image

from segcube.core import UsageError
from segcube.formats import discover_cases
from segcube.spec.challenges import load_challenge
from versus.contestants import ORACLE, PUBLISHED, ROOT, SEGCUBE, SEPARATE
from versus.rows import Plan, Three

REFERENCE = ROOT / "tests/oracle/reference"


@dataclass(frozen=True)
class Cases:
    """Some cases of a challenge."""

    challenge: str | Path
    data: Path
    """With the challenge's names."""
    images: Path
    """With nnU-Net's names: CASE_0000.nii.gz and so on, in the plan's order of channels."""
    outputs: dict[str, str]
    """segcube's name of each map by nnU-Net's."""


def prepare_cases(plan: Plan, count: int, work: Path, data: Path | None) -> Cases:
    """Link the first cases of a folder, or synthetic ones, in `work`.

    data: may have a folder named as the challenge's key. Raises UsageError if that has too few cases.
    """
    challenge = _challenge(plan, work)
    loaded = load_challenge(challenge)
    name = f"{plan.challenge}-{'-'.join(map(str, plan.coarser))}"
    own = data / plan.challenge if data and (data / plan.challenge).is_dir() else None
    source = own or _synthetic(challenge, count, plan.seed, work / "made" / f"{name}-{plan.seed}")
    found = discover_cases(source, loaded).cases[:count]
    if len(found) < count:
        raise UsageError(f"has {len(found)} valid cases", file=source, expected=f"{count}")
    place = work / "cases" / f"{name}-{count}"
    shutil.rmtree(place, ignore_errors=True)
    for case in found:
        for file in case.files.values():
            _link(file, place / "data" / file.name)
        for number, channel in enumerate(plan.channels):
            _link(case.files[channel], place / "images" / f"{case.name}_{number:04d}.nii.gz")
    outputs = {f"{case.name}.nii.gz": loaded.output_name(case.name) for case in found}
    return Cases(challenge, place / "data", place / "images", outputs)


def cropped_shapes(cases: Cases) -> list[Three]:
    """Size (z, y, x) of the nonzero box of each case."""
    shapes = []
    for name in cases.outputs:
        files = sorted(cases.images.glob(name.replace(".nii.gz", "_*.nii.gz")))
        inside_xyz = np.any(
            [np.asarray(Nifti1Image.from_filename(file).dataobj) != 0 for file in files], axis=0
        )
        x, y, z = (int(np.ptp(axis)) + 1 for axis in np.nonzero(inside_xyz))
        shapes.append((z, y, x))
    return shapes


def _challenge(plan: Plan, work: Path) -> str | Path:
    """The challenge's key, or a file of the challenge with a coarser grid."""
    if plan.coarser == (1, 1, 1):
        return plan.challenge
    content = load_challenge(plan.challenge).model_dump(mode="json", exclude_unset=True)
    times = plan.coarser[::-1]
    grid = content["geometry"]["grids"][0]
    grid["shape"] = [n // t for n, t in zip(grid["shape"], times, strict=True)]
    grid["spacing"] = [s * t for s, t in zip(grid["spacing"], times, strict=True)]
    content["geometry"]["grids"] = [grid]
    file = work / f"{plan.challenge}-{'-'.join(map(str, plan.coarser))}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def _synthetic(challenge: str | Path, count: int, seed: int, folder: Path) -> Path:
    """At least so many synthetic cases; those of an earlier run if they are enough."""
    loaded = load_challenge(challenge)
    if (folder / "data").is_dir() and len(discover_cases(folder / "data", loaded).cases) >= count:
        return folder / "data"
    shutil.rmtree(folder, ignore_errors=True)
    return write_cases(challenge, count, folder, seed)


def _link(file: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(file.resolve())


@dataclass(frozen=True)
class Imported:
    """A model folder imported as a submission."""

    weights: Path
    seconds: float
    """Of the import, compiling included."""
    weight_bytes: int
    """Of the members' weights."""
    compiled_bytes: int
    """Of all other files."""
    products: float
    """Multiply-adds of all members' convolutions in one window, in 1e9."""


def build_model(plan: Plan, folds: int, work: Path) -> Path:
    """Build nnU-Net's model folder of a plan by nnU-Net's classes, or reuse that of an earlier run."""
    content = json.dumps(asdict(plan) | {"folds": folds})
    script = PUBLISHED / "build_model.py"
    digest = blake2b(content.encode() + script.read_bytes(), digest_size=8)
    folder = work / "models" / digest.hexdigest()
    if folder.is_dir():
        return folder
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    (unfinished / "plan.json").write_text(content)
    command = [ORACLE, "-W", "ignore", script, unfinished / "plan.json", unfinished, str(folds)]
    run_quietly(command, {"PYTHONPATH": str(REFERENCE)})
    return unfinished.rename(folder)


def import_model(model: Path, challenge: str | Path, folds: int, weights: Path) -> Imported:
    """Import and compile the first folds of a model folder."""
    shutil.rmtree(weights, ignore_errors=True)
    numbers = ",".join(map(str, range(folds)))
    start = perf_counter()
    command = [SEGCUBE, "import", "nnunet", model, "--out", weights, "--challenge", str(challenge)]
    run_quietly([*command, "--folds", numbers])
    seconds = perf_counter() - start
    files = [file for file in weights.rglob("*") if file.is_file()]
    members = sum(file.stat().st_size for file in files if file.suffix == ".safetensors")
    others = sum(file.stat().st_size for file in files) - members
    products = float(run_quietly([sys.executable, SEPARATE / "count_products.py", weights]))
    return Imported(weights, seconds, members, others, products)


def run_quietly(command: Sequence[str | Path], settings: dict[str, str] | None = None) -> str:
    """Run a command and return its output. Raises RuntimeError with its last lines if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=dict(os.environ) | (settings or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout
