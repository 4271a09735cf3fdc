"""Choose parameters by preset, output or pattern: those that stay frozen, and those that start anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import torch

from segcube.core import UsageError
from segcube.training.transfer.match import NetworkSpec, Reset

UGRIP, BODY, HEADS = "ugrip", "body", "heads"
UGRIP_TRAINED = 26
"""Parameter tensors at the end of the network that BraTS-UGRIP trains on: its README states the number, no
code of it is published. For MedNeXt B these are the last decoder stage and the heads."""
FREEZE_PRESETS = {
    UGRIP: f"all but the last {UGRIP_TRAINED} parameter tensors (BraTS-UGRIP)",
    BODY: "all but the heads",
}
LISTED = 8


def frozen_parameters(network: torch.nn.Module, spec: NetworkSpec, freeze: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the parameters that stay as they are; freeze: presets and patterns of names.

    Raises UsageError for a pattern that matches nothing, and where nothing is left to train.
    """
    names = [name for name, _ in network.named_parameters()]
    frozen = {name for text in freeze for name in _frozen_by(text, names, spec)}
    if len(frozen) == len(names):
        raise UsageError(f"--freeze {' '.join(freeze)} freezes every parameter", expected="some to train")
    return tuple(name for name in names if name in frozen)


def parse_reset(spec: NetworkSpec, tensors: Iterable[str], reset: Sequence[str]) -> Reset:
    """Return what starts anew; reset: `heads`, outputs of the network, and patterns of tensor names.

    tensors: the names of the network's. Raises UsageError for a pattern that matches nothing.
    """
    names, heads = list(tensors), spec.axes.outputs
    chosen: set[str] = set()
    for text in reset:
        if text == HEADS:
            chosen |= heads.keys()
        elif text not in spec.outputs.names:
            chosen |= _matching(text, names, "--reset", (HEADS, *spec.outputs.names))
    return Reset(frozenset(chosen), frozenset(text for text in reset if text in spec.outputs.names))


def _frozen_by(text: str, names: Sequence[str], spec: NetworkSpec) -> set[str]:
    if text == UGRIP:
        return set(names[:-UGRIP_TRAINED])
    if text == BODY:
        return set(names) - spec.axes.outputs.keys()
    return _matching(text, names, "--freeze", FREEZE_PRESETS)


def _matching(text: str, names: Sequence[str], option: str, words: Iterable[str]) -> set[str]:
    found = {name for name in names if fnmatchcase(name, text)}
    if not found:
        some = ", ".join(names[:LISTED])
        expected = f"{', '.join(words)}, or a pattern of names such as {some} ..."
        raise UsageError(f"{option} {text} matches no tensor", expected=expected)
    return found
