"""The starter submissions, and the training recipe of each of their networks, read from data/*.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from segcube.core import Shape, StrictModel, UsageError, read_model
from segcube.spec.submission import Submission


class Recipe(StrictModel):
    """The training of a member."""

    network: str
    arguments: dict[str, Any]
    steps: int
    seed: int = 0
    flips: tuple[int, ...] = ()
    """Axes to mirror at random."""
    crop_chance: float = 0.0
    """Probability of a patch from a smaller field of view, normalised again."""
    bf16: bool = False
    patch: Shape | None = None
    """Voxels of a training patch; None for the branch's window."""


class Starter(StrictModel):
    """A submission before its training, with placeholders for its members' sha256, and their recipes."""

    submission: Submission
    recipes: dict[str, Recipe]
    """By member file."""
    cases: int
    """Synthetic cases to train on."""
    unions: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """The labels of each output that is neither a label nor a region of the challenge."""
    near_mm: float = 0.0
    """Margin around the targets within which a stage that follows another is trained."""


STARTERS: Mapping[str, Starter] = {
    file.stem: read_model(file, Starter, UsageError)
    for file in sorted((Path(__file__).parent / "data").glob("*.yaml"))
}
