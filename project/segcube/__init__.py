"""segcube: from trained folds to a challenge submission that every host can start."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Session", "__version__", "load_submission"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    # Importing the package does no work: torch is only read by those who ask for a session
    if name in ("Session", "load_submission"):
        return getattr(import_module("segcube.inference.session"), name)
    raise AttributeError(f"module 'segcube' has no attribute {name!r}")
