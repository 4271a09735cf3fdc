"""Fit weights to a network, key by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

LISTED = 10


def stored_names(network: nn.Module) -> dict[str, str]:
    """The name under which a file holds each entry of the state_dict.

    Networks with a module in two places name its tensors twice; a file holds them once, under the first name.
    """
    first: dict[int, str] = {}
    state = network.state_dict(keep_vars=True)
    return {name: first.setdefault(id(tensor), name) for name, tensor in state.items()}


def stored_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """The entries of the state_dict that a file holds."""
    state = network.state_dict()
    return {name: state[name] for name in stored_names(network).values()}


def named_once(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`weights` with the tensors that the network names twice under the name that a file holds.

    Other people's checkpoints hold those once for each name; what the network does not name stays.
    """
    names = stored_names(network)
    found = {name: tensor for name, tensor in weights.items() if names.get(name, name) == name}
    return {names.get(name, name): tensor for name, tensor in weights.items()} | found


def mismatches(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> str:
    """What keeps `weights` from fitting, in one line with the first ten of each kind; empty if they fit."""
    wanted = stored_state(network)
    shapes = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    kinds = {
        "missing": [name for name in wanted if name not in weights],
        "unexpected": [name for name in weights if name not in wanted],
        "of another shape": shapes,
    }
    return "; ".join(f"{len(names)} {kind}: {_listed(names)}" for kind, names in kinds.items() if names)


def fill(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Make fitting `weights` the network's own, in the types that it was built with."""
    names, state = stored_names(network), network.state_dict()
    own = {name: weights[names[name]].to(tensor.dtype) for name, tensor in state.items()}
    network.load_state_dict(own, strict=True, assign=True)


def not_finite(weights: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of the floating tensors that hold a NaN or an infinity in the networks' float32."""
    floating = {name: tensor for name, tensor in weights.items() if tensor.is_floating_point()}
    return [name for name, tensor in floating.items() if not tensor.float().isfinite().all()]


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + rest
