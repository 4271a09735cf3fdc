"""Weights files: their sha256, and network and parameter count from their headers."""

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
DOWNLOAD_AGAIN = "download the file again"


def sha256_of(file: Path) -> str:
    """Return the sha256 of a file, in hexadecimal. Raises EnvironmentFault when it cannot be read."""
    check_file_exists(file)
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise read_error(file, error) from error
    return digest.hexdigest()


def check_file_exists(file: Path, expected: str = "weights as safetensors") -> None:
    """Raise EnvironmentFault unless `file` is a regular file."""
    try:
        regular = file.is_file()
    except OSError as error:
        raise read_error(file, error) from error
    if not regular:
        raise EnvironmentFault("no such file", file=file, expected=expected)


def check_sha256(found: str, expected: str, file: Path, hint: str = DOWNLOAD_AGAIN) -> None:
    """Raise EnvironmentFault unless the sha256 found is the one expected."""
    if found != expected:
        raise EnvironmentFault(f"sha256 {found}", file=file, expected=f"sha256 {expected}", hint=hint)


def read_error(file: Path, error: OSError) -> EnvironmentFault:
    """Return an operating system's error in reading a file as EnvironmentFault."""
    return EnvironmentFault(f"cannot be read: {error.strerror}", file=file)


METADATA_KEY = "segcube"
"""Key of the network's name and arguments in the metadata of a safetensors file."""
STATISTICS = ("running_mean", "running_var")
"""Buffers of normalisation layers, which are not trained."""


@dataclass(frozen=True)
class WeightsFile:
    """What the header of a weights file states."""

    network: str
    arguments: Mapping[str, Any]
    parameters: int
    """Number of trainable parameters."""
    bytes: int


def describe_weights(file: Path) -> WeightsFile:
    """Read network and parameter count of a weights file from its header, without reading tensors.

    Raises EnvironmentFault for a file that is missing, truncated, not safetensors or not written by segcube.
    """
    try:
        with safe_open(file, framework="numpy") as opened:
            card = parse_json((opened.metadata() or {})[METADATA_KEY])
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            parameters = sum(
                math.prod(part.get_shape()) for name, part in slices.items() if _is_trained(name, part)
            )
        return WeightsFile(card["network"], card["arguments"], parameters, file.stat().st_size)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise EnvironmentFault(
            f"cannot be read: {error}", file=file, expected="weights written by segcube"
        ) from error


def _is_trained(name: str, part: Any) -> bool:
    return part.get_dtype()[:1] in ("F", "B") and part.get_dtype() != "BOOL" and not name.endswith(STATISTICS)
