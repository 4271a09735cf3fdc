"""What a weights file says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from segcube.errors import EnvironmentFault
from segcube.submission.weights import KEY


@dataclass(frozen=True)
class NetworkCard:
    """The network that a file's weights belong to."""

    network: str
    arguments: Mapping[str, object]
    version: str
    """segcube's own, at the time of writing."""
    notes: str | None = None


def encode_card(card: NetworkCard) -> dict[str, str]:
    """The card as safetensors metadata; equal cards give equal text."""
    # One key for the whole card: safetensors writes several in an order that differs from run to run
    return {KEY: json.dumps(asdict(card), sort_keys=True)}


def decode_card(metadata: Mapping[str, str], file: Path) -> NetworkCard:
    """The card in a file's metadata.

    Raises EnvironmentFault when there is none or it is broken.
    """
    expected = "weights that segcube wrote, with their network's name and arguments"
    if KEY not in metadata:
        raise EnvironmentFault("has no network card", file=file, expected=expected, mend="import it first")
    try:
        return TypeAdapter(NetworkCard).validate_json(metadata[KEY])
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        found = f"its network card is broken at {place or 'the start'}: {error.errors()[0]['msg']}"
        raise EnvironmentFault(found, file=file, expected=expected) from error
