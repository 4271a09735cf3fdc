"""Who takes part, and the command that each is started by."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from versus.specs import Device, Row

ROOT = Path(__file__).parents[2]
PUBLISHED, APART = Path(__file__).parent / "published", Path(__file__).parent / "apart"
"""Scripts that run in the environment of published code, and in this one but in a process of their own."""
ORACLE = Path(os.environ.get("SEGCUBE_ORACLE", ROOT / ".venv-oracle/bin/python"))
SEGCUBE = Path(sys.executable).with_name("segcube")
KEEP = str(2**30)
KEPT = {"MALLOC_MMAP_THRESHOLD_": KEEP, "MALLOC_TRIM_THRESHOLD_": KEEP}
"""What keeps glibc from giving large blocks back to the kernel."""
OTHERWISE = ("MALLOC_", "SEGCUBE_", "OMP_", "MKL_", "KMP_", "nnUNet_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Variables that would make a contestant run otherwise than it comes."""


@dataclass(frozen=True)
class Job:
    """What a contestant is asked for."""

    row: Row
    model: Path
    """nnU-Net's model folder."""
    weights: Path
    """The same as a submission."""
    images: Path
    """The cases as nnU-Net names them."""
    data: Path
    """The cases as the challenge names them."""
    out: Path
    report: Path
    """Where segcube's report goes."""


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
        """This process's own, without what would change how a contestant runs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERWISE)}
        return kept | dict(self.settings)


CONTESTANTS = {
    contestant.key: contestant
    for contestant in (
        Contestant("nnunet", "nnU-Net", "nnunet"),
        Contestant("nnunet-kept", "nnU-Net, memory kept", "nnunet", KEPT),
        Contestant("monai", "MONAI loop", "monai"),
        Contestant("fp32", "segcube fp32", "segcube", options=("--precision", "fp32")),
        Contestant("fp16", "segcube fp16", "segcube", options=("--precision", "fp16")),
        Contestant("bf16", "segcube bf16", "segcube", options=("--precision", "bf16")),
        Contestant("torch", "segcube on torch", "segcube", options=("--backend", "torch")),
    )
}


def taking_part(row: Row, has_bf16: bool) -> list[Contestant]:
    """The row's contestants that this machine can run; has_bf16: the processor multiplies bfloat16."""
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
