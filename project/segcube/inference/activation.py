"""Logits to probabilities, and a network's channels to those of its stage."""

from __future__ import annotations

from typing import Literal

import numpy as np

from segcube.core import Array, array_namespace
from segcube.spec.challenges import Challenge
from segcube.spec.submission import Branch, Stage

# exp stays finite in float32, and the probabilities beyond are 0 and 1 to its last digit
SATURATION = 80.0


def activate(logits_kxyz: Array, kind: Literal["regions", "labels"], axis: int = 0) -> Array:
    """Probabilities (K, X, Y, Z): a sigmoid a region, or a softmax over the labels; axis: that of K."""
    xp = array_namespace(logits_kxyz)
    if kind == "regions":
        return 1 / (1 + xp.exp(-xp.clip(logits_kxyz, -SATURATION, SATURATION)))
    powers_kxyz = xp.exp(logits_kxyz - xp.max(logits_kxyz, axis=axis, keepdims=True))
    powers_kxyz /= xp.sum(powers_kxyz, axis=axis, keepdims=True)
    return powers_kxyz


def certain_background(kind: Literal["regions", "labels"], channels: int, merge: str) -> np.ndarray:
    """The values outside a crop, float32 (K,): probability 0 of each region, or 1 of the background label.

    merge logits: as logits that give these probabilities to the last digit of float16.
    """
    far = -SATURATION if merge == "logits" else 0.0
    outside_k = np.full(channels, far, dtype=np.float32)
    if kind == "labels":
        outside_k[0] = 0.0 if merge == "logits" else 1.0
    return outside_k


def background_outside_gate(kind: Literal["regions", "labels"], channels: int, merge: str) -> np.ndarray:
    """The values outside a gate on a branch's own grid, float32 (K,).

    Labels: 1 for the background and 0 for the others, for logits and probabilities alike; restoring to the
    native grid blends them with the values inside (MBAS). Regions: as `certain_background`.
    """
    if kind == "regions":
        return certain_background(kind, channels, merge)
    return np.eye(1, channels, dtype=np.float32)[0]


def channel_matrix(stage: Stage, branch: Branch, challenge: Challenge) -> np.ndarray | None:
    """Weights (R, K) that sum a branch's channels into the stage's; None where they are the same.

    A region of a label model is the sum of its labels' probabilities.
    """
    names = branch.outputs.names
    if names == stage.names:
        return None
    matrix = np.zeros((len(stage.names), len(names)), dtype=np.float32)
    for row, region in enumerate(stage.names):
        parts = [region] if branch.outputs.kind == "regions" else challenge.regions[region]
        matrix[row, [names.index(part) for part in parts]] = 1.0
    return matrix
