"""Compute the average that a schedule-free optimizer keeps in addition to the weights that it trains.

Training moves z and takes gradients at y = (1 - beta1) z + beta1 x; x is the average of all z, and the
weights that the method (Defazio et al. 2024, arXiv 2405.15682) evaluates. A checkpoint holds y in its
state_dict and z in its optimizer_states, so that x = y.lerp(z, 1 - 1 / beta1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from segcube.core import EnvironmentFault
from segcube.importers.sources import NetworkEntries
from segcube.importers.write import State

Z = "z"
HINT = "import the weights as they were saved, with --weights-of last"


@dataclass(frozen=True)
class _Optimizer:
    """The state of a schedule-free optimizer."""

    z: Mapping[int, torch.Tensor]
    """By the parameter's number."""
    count: int
    """All parameters, those without a gradient included."""
    beta: float
    is_average: bool
    """Whether it was saved in evaluation mode, where the state_dict holds the average."""


def has_average(tree: Mapping[str, Any]) -> bool:
    """Whether any optimizer of a checkpoint is schedule-free."""
    return any(
        isinstance(state, Mapping) and Z in state
        for optimizer in _sequence(tree.get("optimizer_states"))
        for state in _mapping(_mapping(optimizer).get("state")).values()
    )


def average_of(tree: Mapping[str, Any], entries: NetworkEntries, file: Path) -> tuple[State, str]:
    """Compute the schedule-free average of a network's weights; return it with a description.

    Parameters without a gradient, such as frozen ones, stay. Raises EnvironmentFault for a checkpoint without
    a schedule-free optimizer, and for one whose parameters are not those of the network.
    """
    optimizer = _read(tree, file)
    if optimizer.is_average:
        return entries.state, "the schedule-free average, which its optimizer saved in evaluation mode"
    names = _parameter_names(tree, entries, optimizer, file)
    averaged, tensors = dict(entries.state), _tensors(tree)
    for number, z in optimizer.z.items():
        name = names[number]
        y = tensors[name]
        if y.shape != z.shape or not y.is_floating_point():
            found = f"{Z} of parameter {number} has the shape {tuple(z.shape)}"
            raise _fault(found, file, f"{tuple(y.shape)}, as {name}")
        if name.startswith(entries.prefix):
            averaged[name.removeprefix(entries.prefix)] = y.lerp(z.to(y.dtype), 1 - 1 / optimizer.beta)
    return averaged, (
        f"the schedule-free average x = y.lerp(z, 1 - 1 / {optimizer.beta:g}) of its optimizer_states; "
        f"{optimizer.count - len(optimizer.z)} tensors without a gradient as saved"
    )


def _parameter_names(
    tree: Mapping[str, Any], entries: NetworkEntries, optimizer: _Optimizer, file: Path
) -> tuple[str, ...]:
    """Name the parameters: an optimizer numbers them in the order of the state_dict.

    A MedNeXt holds parameters and no buffers; the entries of the trainer may be either.
    """
    every = list(_tensors(tree))
    own = [name for name in every if name.startswith(entries.prefix)]
    for names in (own, every):
        if len(names) == optimizer.count:
            return tuple(names)
    found = f"the optimizer was given {optimizer.count} parameters"
    raise _fault(found, file, f"{len(own)}, as the network has")


def _read(tree: Mapping[str, Any], file: Path) -> _Optimizer:
    optimizers = [_mapping(one) for one in _sequence(tree.get("optimizer_states"))]
    if len(optimizers) != 1:
        raise _fault(f"optimizer_states hold {len(optimizers)} optimizers", file, "a schedule-free one")
    groups = [_mapping(group) for group in _sequence(optimizers[0].get("param_groups"))]
    if len(groups) != 1:
        # Numbers follow the groups, and no checkpoint holds which parameter is in which group
        raise _fault(f"its optimizer has {len(groups)} groups of parameters", file, "one group")
    numbers, betas = _sequence(groups[0].get("params")), _sequence(groups[0].get("betas"))
    z = {
        number: _mapping(state)[Z]
        for number, state in _mapping(optimizers[0].get("state")).items()
        if Z in _mapping(state)
    }
    if not z or not betas or not isinstance(betas[0], float) or not 0 < betas[0] < 1:
        raise _fault("its optimizer keeps no z and beta", file, "a schedule-free optimizer")
    is_sound = all(type(number) is int for number in (*numbers, *z)) and all(
        isinstance(tensor, torch.Tensor) and tensor.is_floating_point() for tensor in z.values()
    )
    if not is_sound or numbers != tuple(range(len(numbers))) or not set(z) <= set(numbers):
        raise _fault("its optimizer's state is damaged", file, f"a tensor {Z} for each parameter's number")
    return _Optimizer(z, len(numbers), betas[0], groups[0].get("train_mode", True) is False)


def _tensors(tree: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Select the tensors of the state_dict, in its order."""
    state = _mapping(tree.get("state_dict"))
    return {str(name): value for name, value in state.items() if isinstance(value, torch.Tensor)}


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()


def _fault(found: str, file: Path, expected: str) -> EnvironmentFault:
    message = f"gives no schedule-free average: {found}"
    return EnvironmentFault(message, file=file, expected=expected, hint=HINT)
