"""Weights as safetensors files that describe themselves."""

from segcube.checkpoints.card import NetworkCard
from segcube.checkpoints.store import (
    load_network,
    load_weights,
    read_metadata,
    save_network,
    save_weights,
)

__all__ = [
    "NetworkCard",
    "load_network",
    "load_weights",
    "read_metadata",
    "save_network",
    "save_weights",
]
