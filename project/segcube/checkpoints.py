"""Deprecated alias of `segcube.networks` for writing and loading weights."""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcube.networks import NetworkCard as NetworkCard
    from segcube.networks import load_network as load_network
    from segcube.networks import load_weights as load_weights
    from segcube.networks import read_metadata as read_metadata
    from segcube.networks import save_network as save_network
    from segcube.networks import save_weights as save_weights

NAMES = frozenset(
    ("NetworkCard", "load_network", "load_weights", "read_metadata", "save_network", "save_weights")
)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"segcube.checkpoints.{name} is deprecated; use segcube.networks.{name}",
        DeprecationWarning,
        stacklevel=2,
    )
    # Later accesses find the name without this function, and without a second warning
    globals()[name] = found = getattr(importlib.import_module("segcube.networks"), name)
    return found
