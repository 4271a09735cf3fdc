"""What a weights file tells without its numbers: read from its header, without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from segcube.documents import parse_json
from segcube.errors import EnvironmentFault

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
