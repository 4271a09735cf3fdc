"""The contestants, and the command line of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from versus.rows import Row

ROOT = Path(__file__).parents[2]
PUBLISHED = Path(__file__).parent / "published"
"""Scripts that run in the environment of published code."""
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
        row = job.row
        if self.kind == "nnunet":
            script = ORACLE.with_name("nnUNetv2_predict_from_modelfolder")
            folders = ("-i", job.images, "-o", job.out, "-m", job.model, "-device", row.device)
            folds = map(str, range(row.folds))
            return [script, *folders, *([] if row.mirrors else ["--disable_tta"]), "-f", *folds]
        if self.kind == "monai":
            words = (ORACLE, PUBLISHED / "monai_loop.py", job.model, job.images, job.out)
            options = ("--folds", str(row.folds), "--device", row.device)
            return [*words, *options, *(["--mirrors"] if row.mirrors else [])]
        folders = ("--data_path", job.data, "--output_path", job.out, "--weights", job.weights)
        device = "cuda:0" if row.device == "cuda" else row.device
        options = ("--report", job.report, "--device", device, "--flips" if row.mirrors else "--no-flips")
        return [SEGCUBE, "infer", *folders, *options, "--quiet", *self.options]

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
