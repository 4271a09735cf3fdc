"""Which tensors of a network have an axis of input channels, and which one of outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from segcube.networks.registry import build_network, check_arguments
from segcube.networks.store import stored_state

INPUTS, OUTPUTS = ("in_channels", "input_channels"), ("out_channels", "num_classes")
"""Arguments that state the number of channels, whatever the network."""


@dataclass(frozen=True)
class ChannelAxes:
    """Axes by the name of their tensor, as in a weights file."""

    inputs: Mapping[str, int]
    """Of the image's channels: the stem."""
    outputs: Mapping[str, int]
    """Of the logits' channels: the heads."""


def channel_axes(name: str, arguments: Mapping[str, object]) -> ChannelAxes:
    """Find the tensors whose shapes depend on the number of channels, by building the network with one more.

    Raises UsageError for an unknown network, key or value.
    """
    complete = check_arguments(name, arguments).model_dump(mode="json")
    shapes = _shapes(name, complete)
    return ChannelAxes(
        _grown(shapes, _shapes(name, _with_one_more(complete, INPUTS))),
        _grown(shapes, _shapes(name, _with_one_more(complete, OUTPUTS))),
    )


def _with_one_more(arguments: Mapping[str, object], keys: tuple[str, ...]) -> dict[str, object]:
    return {
        key: value + 1 if key in keys and isinstance(value, int) else value
        for key, value in arguments.items()
    }


def _shapes(name: str, arguments: Mapping[str, object]) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {key: value.shape for key, value in stored_state(build_network(name, arguments)).items()}


def _grown(before: Mapping[str, torch.Size], after: Mapping[str, torch.Size]) -> dict[str, int]:
    return {
        name: next(axis for axis, length in enumerate(shape) if after[name][axis] != length)
        for name, shape in before.items()
        if after[name] != shape
    }
