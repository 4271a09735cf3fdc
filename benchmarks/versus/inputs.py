"""The inputs of a comparison: cases, nnU-Net's model folder, its import as a submission, the machine."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import yaml
from cases import write_cases

from segcube.core import UsageError
from segcube.formats import discover_cases
from segcube.spec.challenges import load_challenge
from versus.contestants import ORACLE, PUBLISHED, ROOT, SEGCUBE
from versus.rows import Plan

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
    for folder in ("data", "images"):
        (place / folder).mkdir(parents=True)
    for case in found:
        for file in case.files.values():
            (place / "data" / file.name).symlink_to(file.resolve())
        for number, channel in enumerate(plan.channels):
            link = place / "images" / f"{case.name}_{number:04d}.nii.gz"
            link.symlink_to(case.files[channel].resolve())
    outputs = {f"{case.name}.nii.gz": loaded.output_name(case.name) for case in found}
    return Cases(challenge, place / "data", place / "images", outputs)


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


def import_model(model: Path, challenge: str | Path, folds: int, weights: Path) -> int:
    """Import and compile the first folds of a model folder; returns the bytes of their weights."""
    shutil.rmtree(weights, ignore_errors=True)
    command = [SEGCUBE, "import", "nnunet", model, "--out", weights, "--challenge", str(challenge)]
    run_quietly([*command, "--folds", ",".join(map(str, range(folds)))])
    return sum(file.stat().st_size for file in weights.glob("*.safetensors"))


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


QUERY = """
import json, sys
from importlib.metadata import version
import torch
gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
print(json.dumps([gpu, {"Python": sys.version.split()[0]} | {name: version(name) for name in sys.argv[1:]}]))
"""


@dataclass(frozen=True)
class Machine:
    """What the benchmark and its report depend on."""

    text: str
    """Processor, memory, GPU and versions of libraries, in three sentences."""
    has_bf16: bool
    """Whether the CPU has bfloat16 instructions."""
    gpu: str
    """Empty without one, for published code's torch."""


def describe_machine() -> Machine:
    """Describe this machine; torch is imported in the environment of published code, not here."""
    first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    cpu = {name.strip(): value.strip() for name, _, value in pairs}
    bf16 = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in cpu.get("flags", "").split()]
    numbers = [
        f"{name} {cpu[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in cpu
    ]
    processor = " ".join([cpu.get("model name", platform.machine()), *numbers])
    processor += f" ({', '.join(bf16)})" if bf16 else ", no bfloat16"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    system = f"Linux {platform.release().split('-')[0]}, {' '.join(platform.libc_ver())}"
    libraries = ("nnunetv2", "monai", "torch", "numpy")
    gpu, published = json.loads(run_quietly([ORACLE, "-c", QUERY, *libraries]))
    own = {name: version(name) for name in ("segcube", "torch", "openvino", "numpy")}
    return Machine(
        f"{processor}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB, {gpu or 'no GPU'}; {system}. "
        f"Published code: {_listed(published)}. segcube: Python {platform.python_version()}, {_listed(own)}.",
        bool(bf16),
        gpu,
    )


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
