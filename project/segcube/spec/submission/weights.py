"""Weights files: their sha256 and what their headers state."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from segcube.core import EnvironmentFault, parse_json

CHUNK = 1 << 20
FETCH_AGAIN = "fetch the file again"


def sha256_of(file: Path) -> str:
    """The sha256 of a whole file, in hexadecimal.

    Raises EnvironmentFault when it cannot be read.
    """
    expect_file(file)
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise unreadable(file, error) from error
    return digest.hexdigest()


def expect_file(file: Path, expected: str = "weights as safetensors") -> None:
    """Raise EnvironmentFault where there is no regular file."""
    try:
        regular = file.is_file()
    except OSError as error:
        raise unreadable(file, error) from error
    if not regular:
        raise EnvironmentFault("no such file", file=file, expected=expected)


def expect_sha256(found: str, expected: str, file: Path, hint: str = FETCH_AGAIN) -> None:
    """Raise EnvironmentFault where a file is not the one that was asked for."""
    if found != expected:
        raise EnvironmentFault(f"sha256 {found}", file=file, expected=f"sha256 {expected}", hint=hint)


def unreadable(file: Path, error: OSError) -> EnvironmentFault:
    """What a file's error of the system is told as."""
    return EnvironmentFault(f"cannot be read: {error.strerror}", file=file)


KEY = "segcube"
"""Where a file's metadata holds the card of its network."""
STATISTICS = ("running_mean", "running_var")
"""What normalisation layers count along the way; no training moves them."""


@dataclass(frozen=True)
class WeightsFile:
    """A member's file."""

    network: str
    arguments: Mapping[str, Any]
    parameters: int
    """Numbers that training moves."""
    bytes: int


def describe_weights(file: Path) -> WeightsFile:
    """The network of a weights file, and how many parameters it holds; no tensor is read.

    Raises EnvironmentFault for a file that is missing, cut off, no safetensors or without a card.
    """
    try:
        with safe_open(file, framework="numpy") as opened:
            card = parse_json((opened.metadata() or {})[KEY])
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            parameters = sum(
                math.prod(part.get_shape()) for name, part in slices.items() if _moves(name, part)
            )
        return WeightsFile(card["network"], card["arguments"], parameters, file.stat().st_size)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise EnvironmentFault(
            f"cannot be read: {error}", file=file, expected="weights that segcube wrote"
        ) from error


def _moves(name: str, part: Any) -> bool:
    return part.get_dtype()[:1] in ("F", "B") and part.get_dtype() != "BOOL" and not name.endswith(STATISTICS)
