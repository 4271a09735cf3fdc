"""The mean of several weights of one network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors import safe_open

from segcube.checkpoints import NetworkCard, read_metadata
from segcube.errors import UsageError


def average_weights(files: Sequence[Path]) -> tuple[NetworkCard, dict[str, torch.Tensor]]:
    """The mean of each floating tensor over files of one network, in float64, as the first file stores it.

    Integers and booleans, counters and indices that no mean makes sense of, are the first file's. Tensors are
    read one at a time: one state is in memory, however many files there are. Raises UsageError for no file
    and for files of different networks, EnvironmentFault for one that cannot be read.
    """
    card = expect_one_network(files)
    with ExitStack() as stack:
        opened = [stack.enter_context(safe_open(file, framework="pt")) for file in files]
        return card, {name: _mean([one.get_tensor(name) for one in opened]) for name in opened[0].keys()}  # noqa: SIM118


def expect_one_network(files: Sequence[Path]) -> NetworkCard:
    """The network that all files hold. Raises UsageError for no file and for files of different networks."""
    if not files:
        raise UsageError("no weights to average")
    card = read_metadata(files[0])
    for file in files[1:]:
        other = read_metadata(file)
        if (other.network, other.arguments) != (card.network, card.arguments):
            raise UsageError(
                f"holds a {other.network} of {dict(other.arguments)}",
                file=file,
                expected=f"a {card.network} of {dict(card.arguments)}, as {files[0].name}",
            )
    return card


def _mean(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    first = tensors[0]
    if not first.is_floating_point():
        return first.clone()
    total = torch.zeros(first.shape, dtype=torch.float64)
    for tensor in tensors:
        total += tensor
    return (total / len(tensors)).to(first.dtype)
