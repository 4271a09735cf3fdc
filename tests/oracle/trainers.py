"""Requests to nnU-Net's trainers, which reference/trainers.py answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

LABELS = {"background": 0, "NCR": 1, "ED": 2, "ET": 3}
REGIONS = {"background": 0, "WT": [1, 2, 3], "TC": [1, 3], "ET": [3]}
IGNORED = 4
"""nnU-Net's label of voxels that take no part in a loss: the highest."""
STRIDES = [[1, 1, 1], [2, 2, 2], [1, 2, 2], [2, 2, 2]]


def spec_of(
    *,
    regions: bool = False,
    ignore: bool = False,
    batch_dice: bool = False,
    supervised: bool = True,
    **changes: Any,
) -> dict[str, Any]:
    """Return the specification of a trainer for brain tumours; supervised: at lower resolutions too."""
    plan = {"normalization": "ZScoreNormalization", "mask": False, "patch": [16] * 3, "spacing": [1] * 3}
    return {
        "trainer": "nnUNetTrainer",
        "labels": (REGIONS if regions else LABELS) | ({"ignore": IGNORED} if ignore else {}),
        "order": [2, 1, 3] if regions else None,
        "batch_dice": batch_dice,
        "supervised": supervised,
        "scan": {"channels": 1},
        "plan": plan,
        "resampling": "splines",
        "reader": "SimpleITKIO",
        "transpose": [0, 1, 2],
        "network": "PlainConvUNet",
        "strides": STRIDES,
    } | changes


@dataclass(frozen=True)
class TrainerRequest:
    """What to ask of a trainer: drawn, shrunk, losses, steps or rates, with arrays and further settings."""

    kind: str
    spec: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def ask_trainers(oracle: Any, root: Path, requests: Sequence[TrainerRequest]) -> list[dict[str, np.ndarray]]:
    """Return nnU-Net's answers; one process gives all of them."""
    asked, folders = [], []
    for number, request in enumerate(requests):
        folder = root / f"request-{number}"
        folder.mkdir()
        np.savez(folder / "arrays.npz", **request.arrays)
        asked.append({"kind": request.kind, "spec": request.spec, "folder": str(folder), **request.settings})
        folders.append(folder)
    (root / "requests.json").write_text(json.dumps(asked))
    oracle.run("trainers.py", root)
    return [dict(np.load(folder / "results.npz")) for folder in folders]


def relative(found: torch.Tensor, expected: np.ndarray) -> float:
    """Return the largest difference as a share of the largest value; huge where only all should be 0."""
    difference = float(np.abs(found.detach().numpy() - expected).max())
    return difference / max(float(np.abs(expected).max()), 1e-30)
