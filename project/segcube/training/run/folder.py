"""The folder of a run: where its files lie, and how its folds are numbered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from segcube.core import UsageError

MOST_FOLDS = 1000
FoldNumber: TypeAlias = "int | Literal['all']"
"""A fold's number, or `all`: trained on every case, validated on none."""


@dataclass(frozen=True)
class RunFolder:
    """A run's files and folders; `segcube plan` writes the first four."""

    root: Path

    @property
    def plan(self) -> Path:
        return self.root / "plan.yaml"

    @property
    def dataset(self) -> Path:
        return self.root / "dataset.yaml"

    @property
    def folds(self) -> Path:
        return self.root / "folds.yaml"

    @property
    def fingerprint(self) -> Path:
        return self.root / "fingerprint.json"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def problems(self) -> Path:
        """A table of all problems of the data."""
        return self.root / "problems.csv"

    @property
    def validation(self) -> Path:
        return self.root / "validation"

    @property
    def name(self) -> str:
        """The name of the run, which its submission gets."""
        return self.root.resolve().name

    def fold(self, fold: FoldNumber) -> FoldFolder:
        """Return the folder of a fold's training."""
        return FoldFolder(self.root / f"fold_{fold}")

    def validated(self, fold: FoldNumber) -> ValidationFolder:
        """Return the folder of a fold's out-of-fold validation."""
        return ValidationFolder(self.validation / f"fold_{fold}")

    def check(self) -> None:
        """Raise UsageError for a folder that `segcube plan` has not written."""
        if not self.plan.is_file() and self.problems.is_file():
            found = "no plan.yaml: the last segcube plan ended with an error"
            raise UsageError(
                found, file=self.root, hint="plan again; problems.csv lists problems of the data"
            )
        if not self.plan.is_file():
            hint = "segcube plan writes it"
            raise UsageError("no plan.yaml", file=self.root, expected="the folder of a run", hint=hint)


@dataclass(frozen=True)
class FoldFolder:
    """The files of a fold's training."""

    root: Path

    @property
    def log(self) -> Path:
        return self.root / "log.jsonl"

    @property
    def first_batch(self) -> Path:
        """A picture of augmented patches, drawn before the first step."""
        return self.root / "first-batch.png"

    @property
    def environment(self) -> Path:
        """Device and versions that the fold was trained with, as JSON."""
        return self.root / "environment.json"

    @property
    def origin(self) -> Path:
        """Digests of what the weights were trained with."""
        return self.root / "origin.json"

    @property
    def start(self) -> Path:
        """The trained weights that the fold started from; no file for random ones."""
        return self.root / "start.yaml"

    @property
    def start_table(self) -> Path:
        """What became of each tensor of these."""
        return self.root / "start.csv"

    @property
    def final(self) -> Path:
        """The averaged weights after the last step; a training is finished when they are there."""
        return self.root / "final.safetensors"

    @property
    def best(self) -> Path:
        """The averaged weights of the validation with the highest score."""
        return self.root / "best.safetensors"


@dataclass(frozen=True)
class ValidationFolder:
    """The files of a fold's out-of-fold validation; scores.json and scores.csv are beside them."""

    root: Path

    @property
    def maps(self) -> Path:
        return self.root / "maps"

    @property
    def probabilities(self) -> Path:
        return self.root / "probabilities"

    @property
    def pictures(self) -> Path:
        return self.root / "pictures"

    @property
    def report(self) -> Path:
        """Of the predictions."""
        return self.root / "report.json"

    @property
    def summary(self) -> Path:
        """FoldScores."""
        return self.root / "summary.json"


def parse_fold(text: str) -> FoldNumber:
    """Parse the number of a fold, or `all`. Raises UsageError for another text."""
    if text == "all":
        return "all"
    if not text.isdecimal():
        raise UsageError(f"fold {text!r}", expected="a number such as 0, or all")
    return int(text)


def parse_folds(text: str) -> list[FoldNumber]:
    """Parse folds such as `0,2`, `0-4` or `all`, without repetitions. Raises UsageError for another text."""
    folds: list[FoldNumber] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if dash and first.isdecimal() and last.isdecimal() and int(last) - int(first) < MOST_FOLDS:
            folds += range(int(first), int(last) + 1)
        else:
            folds.append(parse_fold(part.strip()))
    return list(dict.fromkeys(folds))
