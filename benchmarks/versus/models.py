"""The models of a comparison: nnU-Net's folder, and the same imported."""

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

from versus.contestants import APART, ORACLE, PUBLISHED, ROOT, SEGCUBE
from versus.specs import Plan

REFERENCE = ROOT / "tests/oracle/reference"


@dataclass(frozen=True)
class Imported:
    """A model folder brought into a submission."""

    weights: Path
    seconds: float
    """What the import took, compiled forms included."""
    weight_bytes: int
    """The members' files."""
    compiled_bytes: int
    """All else that lies beside them."""
    products: float
    """Multiply-adds of its convolutions over one window, all members', in 1e9."""


def build_model(plan: Plan, folds: int, work: Path) -> Path:
    """nnU-Net's model folder of a plan, built by nnU-Net's own classes; that of an earlier run serves."""
    content = json.dumps(asdict(plan) | {"folds": folds})
    script = (PUBLISHED / "build_model.py").read_bytes()
    folder = work / "models" / blake2b(content.encode() + script, digest_size=8).hexdigest()
    if folder.is_dir():
        return folder
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    (unfinished / "plan.json").write_text(content)
    script = PUBLISHED / "build_model.py"
    run_quietly([ORACLE, "-W", "ignore", script, unfinished / "plan.json", unfinished, str(folds)],
                {"PYTHONPATH": str(REFERENCE)})  # fmt: skip
    return unfinished.rename(folder)


def import_model(model: Path, challenge: str | Path, folds: int, weights: Path) -> Imported:
    """Import the first folds of a model folder, with what segcube compiles for this machine."""
    shutil.rmtree(weights, ignore_errors=True)
    told = ",".join(map(str, range(folds)))
    start = perf_counter()
    run_quietly(
        [SEGCUBE, "import", "nnunet", model, "--out", weights, "--challenge", str(challenge), "--folds", told]
    )
    seconds = perf_counter() - start
    files = [file for file in weights.rglob("*") if file.is_file()]
    members = sum(file.stat().st_size for file in files if file.suffix == ".safetensors")
    beside = sum(file.stat().st_size for file in files) - members
    products = float(run_quietly([sys.executable, APART / "count_products.py", weights]))
    return Imported(weights, seconds, members, beside, products)


def run_quietly(command: Sequence[str | Path], settings: dict[str, str] | None = None) -> str:
    """Run a command; what it prints comes back. Raises RuntimeError with its last lines when it fails."""
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
