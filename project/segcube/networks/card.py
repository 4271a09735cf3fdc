"""The network card of a weights file: its name, arguments and version; read without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from segcube.core import EnvironmentFault
from segcube.spec.submission import DOWNLOAD_AGAIN, METADATA_KEY, check_file_exists


@dataclass(frozen=True)
class NetworkCard:
    """The network of a weights file."""

    network: str
    arguments: Mapping[str, object]
    version: str
    """The version of segcube that wrote the file."""
    notes: str | None = None


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
    check_file_exists(file)
    try:
        # The framework matters for tensors only; "pt" would import torch
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise not_safetensors(file, error) from error
    return decode_card(metadata, file)


def not_safetensors(file: Path, error: Exception) -> EnvironmentFault:
    """Make the error of a file that cannot be read as safetensors."""
    return EnvironmentFault(
        f"cannot be read: {error}", file=file, expected="a whole safetensors file", hint=DOWNLOAD_AGAIN
    )
