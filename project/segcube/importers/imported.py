"""What an importer finds in a source, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch

from segcube.importers.wishes import Target
from segcube.submission import Member, Submission

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
