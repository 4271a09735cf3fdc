"""The network card of a weights file: its name, arguments and version; read without torch."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from segcube.core import EnvironmentFault
from segcube.spec.submission import DOWNLOAD_AGAIN, check_file_exists

METADATA_KEY = "segcube"
"""Key of the card in the metadata of a safetensors file."""
STATISTICS = ("running_mean", "running_var")
"""Buffers of normalisation layers, which are not trained."""


@dataclass(frozen=True)
class NetworkCard:
    """The network of a weights file."""

    network: str
    arguments: Mapping[str, object]
    version: str
    """The version of segcube that wrote the file."""
    notes: str | None = None


@dataclass(frozen=True)
class WeightsFile:
    """What the header of a weights file states."""

    network: str
    arguments: Mapping[str, object]
    parameters: int
    """Number of trainable parameters."""
    bytes: int


def encode_card(card: NetworkCard) -> dict[str, str]:
    """Convert a card to safetensors metadata; equal cards give equal text."""
    # One key for the whole card: safetensors writes several in an order that differs from run to run
    return {METADATA_KEY: json.dumps(asdict(card), sort_keys=True)}


def decode_card(metadata: Mapping[str, str], file: Path) -> NetworkCard:
    """Read the card from a file's metadata. Raises EnvironmentFault for a missing or broken card."""
    expected = "weights that segcube wrote, with the name and arguments of their network"
    if METADATA_KEY not in metadata:
        raise EnvironmentFault("has no network card", file=file, expected=expected, hint="import it first")
    try:
        return TypeAdapter(NetworkCard).validate_json(metadata[METADATA_KEY])
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        found = f"its network card is broken at {place or 'the start'}: {error.errors()[0]['msg']}"
        raise EnvironmentFault(found, file=file, expected=expected) from error


def read_metadata(file: Path) -> NetworkCard:
    """Read the card of a weights file, without its tensors.

    Raises EnvironmentFault for a file that is missing, truncated, not safetensors or without a card.
    """
    with _opened(file) as opened:
        return decode_card(opened.metadata() or {}, file)


def describe_weights(file: Path) -> WeightsFile:
    """Read network and parameter count of a weights file; raises EnvironmentFault as `read_metadata` does."""
    with _opened(file) as opened:
        card = decode_card(opened.metadata() or {}, file)
        slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
        shapes = [part.get_shape() for name, part in slices.items() if _is_trained(name, part)]
    return WeightsFile(card.network, card.arguments, sum(map(math.prod, shapes)), file.stat().st_size)


@contextmanager
def _opened(file: Path) -> Generator[Any, None, None]:
    check_file_exists(file)
    try:
        # The framework matters for tensors only; "pt" would import torch
        with safe_open(file, framework="np") as opened:
            yield opened
    except (OSError, SafetensorError) as error:
        raise not_safetensors(file, error) from error


def _is_trained(name: str, part: Any) -> bool:
    return part.get_dtype()[:1] in ("F", "B") and part.get_dtype() != "BOOL" and not name.endswith(STATISTICS)


def not_safetensors(file: Path, error: Exception) -> EnvironmentFault:
    """Make the error of a file that cannot be read as safetensors."""
    found = f"cannot be read: {error}"
    return EnvironmentFault(found, file=file, expected="a whole safetensors file", hint=DOWNLOAD_AGAIN)
