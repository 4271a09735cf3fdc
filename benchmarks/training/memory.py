"""Memory of a training of BraTS size: the same plan and cases, nnU-Net's processes and segcube's."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from versus.measure import measure

from segcube.phantoms import make_phantom
from segcube.spec.challenges import load_challenge
from training.contestants import nnunet_command, prepare, segcube_command
from training.data import RawData, scan_of, write_raw
from training.plans import NetworkPlan

KEY, CASES, STEPS = "brats2023-gli", 3, 1
PLAN = NetworkPlan(
    patch=(128, 128, 128),
    spacing=(1.0, 1.0, 1.0),
    features=(32, 64, 128, 256, 320, 320),
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
    kernels=((3, 3, 3),) * 6,
    masked=True,
)
VARIANTS = {
    "nnU-Net": None,
    "segcube": {"precision": "fp32"},
}


@dataclass(frozen=True)
class Peak:
    """Largest memory of all processes of a training together."""

    name: str
    gb: float


def measure_memory(folder: Path) -> list[Peak]:
    """Train a few steps with each variant, unless it was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    return [measure_variant(name, folder / str(number)) for number, name in enumerate(VARIANTS)]


def measure_variant(name: str, folder: Path) -> Peak:
    """Measure one variant in a folder of its own."""
    result = folder / "result.json"
    if result.exists():
        return Peak(**json.loads(result.read_text()))
    shutil.rmtree(folder, ignore_errors=True)
    challenge = load_challenge(KEY)
    phantoms = (make_phantom(challenge, 0, index) for index in range(CASES))
    scans = (scan_of(phantom, phantom.labels_xyz) for phantom in phantoms)
    labels = sorted(challenge.labels, key=lambda label: challenge.labels[label])
    write_raw(scans, RawData(PLAN, challenge.channel_names, labels, CASES - 1), folder)
    short = {"steps": STEPS, "epoch": STEPS, "schedule": {"interval": STEPS}}
    changes = short | (VARIANTS[name] or {})
    run = prepare(folder, KEY, changes)
    out = folder / "nnunet"
    out.mkdir()
    if VARIANTS[name] is None:
        command = nnunet_command(folder, out, 0, STEPS, STEPS)
    else:
        command = segcube_command(run, "all")
    usage = measure(command, os.environ, folder / "log.txt")
    if usage.status:
        raise SystemExit(f"{name} ended with {usage.status}: {folder / 'log.txt'}")
    peak = Peak(name, usage.peak_bytes / 1e9)
    result.write_text(json.dumps(asdict(peak)))
    return peak
