"""What an import is asked for, and what it finds before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch

from segcube.core import UsageError
from segcube.spec.challenges import Challenge, load_challenge
from segcube.spec.submission import Member, Submission


@dataclass(frozen=True)
class Target:
    """The challenge that a submission is for."""

    challenge: Challenge
    file: Path | None = None
    """A challenge file of the user's own, which goes into the submission's folder."""

    @property
    def reference(self) -> str:
        """How submission.yaml names it: a key, or the file beside it."""
        return self.file.name if self.file else self.challenge.key


@dataclass(frozen=True)
class Wishes:
    """What the options say; what they leave open is found in the source, or refused."""

    target: Target
    name: str
    """Of the submission."""
    folds: tuple[str, ...] = ()
    """Numbers or `all`; none takes every fold that is there."""
    channels: tuple[str, ...] = ()
    """The challenge's channels, in the order of the source's."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """The source's value of each of the challenge's labels."""
    licence: str = "unknown"
    citation: str | None = None


def read_target(key_or_file: str) -> Target:
    """The challenge of a key or of a YAML file. Raises UsageError as `load_challenge` does."""
    own = Path(key_or_file)
    return Target(load_challenge(key_or_file), own if own.suffix in (".yaml", ".yml") else None)


def parse_names(text: str) -> tuple[str, ...]:
    """Names between commas; an empty text gives none."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_numbers(text: str, option: str, counts: tuple[int, ...] = ()) -> tuple[float, ...]:
    """Numbers between commas; an empty text gives none.

    counts: how many there may be. Raises UsageError that names the option.
    """
    parts = parse_names(text)
    try:
        found = tuple(float(part) for part in parts)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}", expected="numbers between commas") from error
    if counts and len(found) not in counts:
        raise UsageError(f"{option} {text!r}", expected=f"{max(counts)} numbers between commas")
    return found


def parse_labels(text: str) -> dict[str, int]:
    """`wall=1,RA=2` as names and values; an empty text gives none.

    Raises UsageError for a part that is no name and whole number, and for a name or value that repeats.
    """
    found: dict[str, int] = {}
    for part in parse_names(text):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name or not value.isdecimal():
            raise UsageError(f"--labels {part!r}", expected="names with values, such as wall=1,RA=2")
        if name in found or int(value) in found.values():
            raise UsageError(f"--labels {text!r} repeats {part!r}", expected="each name and value once")
        found[name] = int(value)
    return found


State: TypeAlias = Mapping[str, torch.Tensor]
PENDING = "0" * 64
"""Stands for a sha256 until the member's file is written."""


@dataclass(frozen=True)
class Source:
    """Where the weights of one member come from, and the network that they belong to."""

    network: str
    """A name among `segcube.networks.NETWORKS`."""
    arguments: Mapping[str, object]
    files: tuple[Path, ...]
    """What the model card names, the one with the weights first."""
    read: Callable[[], State]
    """Reads the weights when they are written, so that one member's are in memory at a time."""


@dataclass(frozen=True)
class Imported:
    """A submission whose members are still to be written, and how it came to be."""

    submission: Submission
    """Its members' sha256 is `PENDING`."""
    sources: Mapping[str, Source]
    """By member file."""
    target: Target
    framework: str
    """What trained the networks, in words."""
    notes: tuple[str, ...] = ()
    """What was decided, a sentence each."""


def pending(file: str, weight: float | dict[str, float] = 1.0) -> Member:
    """A member that is still to be written."""
    return Member(file=file, sha256=PENDING, weight=weight)
