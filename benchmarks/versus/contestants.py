"""The contestants, and the command line of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from versus.rows import Device, Row

ROOT = Path(__file__).parents[2]
PUBLISHED, SEPARATE = Path(__file__).parent / "published", Path(__file__).parent / "separate"
"""Scripts that run in the environment of published code, and in separate processes of this one."""
ORACLE = Path(os.environ.get("SEGCUBE_ORACLE", ROOT / ".venv-oracle/bin/python"))
SEGCUBE = Path(sys.executable).with_name("segcube")
KEEP = str(2**30)
NO_TRIM = {"MALLOC_MMAP_THRESHOLD_": KEEP, "MALLOC_TRIM_THRESHOLD_": KEEP}
"""Settings with which glibc keeps freed memory."""
REMOVED = ("MALLOC_", "SEGCUBE_", "OMP_", "MKL_", "KMP_", "nnUNet_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Prefixes of variables that would change a contestant's defaults."""


@dataclass(frozen=True)
class Job:
    """The files of a contestant's run."""

    row: Row
    model: Path
    """nnU-Net's model folder."""
    weights: Path
    """The same model as a submission."""
    images: Path
    """Cases with nnU-Net's names."""
    data: Path
    """Cases with the challenge's names."""
    out: Path
    report: Path
    """segcube's report."""


@dataclass(frozen=True)
class Contestant:
    """A way of predicting."""

    key: str
    title: str
    kind: Literal["nnunet", "monai", "segcube"]
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables."""
    options: tuple[str, ...] = ()

    def command(self, job: Job) -> list[str | Path]:
        """The command line."""
        return {"nnunet": _nnunet, "monai": _monai, "segcube": _segcube}[self.kind](job, self.options)

    def environment(self) -> dict[str, str]:
        """This process's environment without variables that would change a contestant's defaults."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(REMOVED)}
        return kept | dict(self.settings)


CONTESTANTS = {
    contestant.key: contestant
    for contestant in (
        Contestant("nnunet", "nnU-Net", "nnunet"),
        Contestant("nnunet-kept", "nnU-Net, memory kept", "nnunet", NO_TRIM),
        Contestant("monai", "MONAI loop", "monai"),
        Contestant("fp32", "segcube fp32", "segcube", options=("--precision", "fp32")),
        Contestant("fp16", "segcube fp16", "segcube", options=("--precision", "fp16")),
        Contestant("bf16", "segcube bf16", "segcube", options=("--precision", "bf16")),
        Contestant("torch", "segcube on torch", "segcube", options=("--backend", "torch")),
    )
}


def available_contestants(row: Row, has_bf16: bool) -> list[Contestant]:
    """The row's contestants that this machine can run; has_bf16: the CPU has bfloat16 instructions."""
    keys = [key for key in row.contestants if key != "bf16" or has_bf16 or row.device == "cuda"]
    return [CONTESTANTS[key] for key in keys]


def _nnunet(job: Job, options: tuple[str, ...]) -> list[str | Path]:
    folds = [str(fold) for fold in range(job.row.folds)]
    return [
        ORACLE.with_name("nnUNetv2_predict_from_modelfolder"),
        *("-i", job.images, "-o", job.out, "-m", job.model, "-f", *folds, "-device", job.row.device),
        *([] if job.row.mirrors else ["--disable_tta"]),
        *options,
    ]


def _monai(job: Job, options: tuple[str, ...]) -> list[str | Path]:
    return [
        *(ORACLE, PUBLISHED / "monai_loop.py", job.model, job.images, job.out),
        *("--folds", str(job.row.folds), "--device", job.row.device),
        *(["--mirrors"] if job.row.mirrors else []),
        *options,
    ]


def _segcube(job: Job, options: tuple[str, ...]) -> list[str | Path]:
    flips = "--flips" if job.row.mirrors else "--no-flips"
    return [
        *(SEGCUBE, "infer", "--data_path", job.data, "--output_path", job.out, "--weights", job.weights),
        *("--report", job.report, "--device", _device(job.row.device), flips, "--quiet"),
        *options,
    ]


def _device(device: Device) -> str:
    return "cuda:0" if device == "cuda" else device
