"""The average that a schedule-free optimizer keeps beside the weights that it trains.

Training moves z and takes gradients at y = (1 - beta1) z + beta1 x; x is the average of all z, and the point
that the method (Defazio et al. 2024, arXiv 2405.15682) means for evaluation. A checkpoint holds y in its
state_dict and z in its optimizer_states, so that x = y.lerp(z, 1 - 1 / beta1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from segcube.core import EnvironmentFault
from segcube.importers.requests import State
from segcube.importers.sources import Unwrapped

KEPT = "z"
FIX = "import the weights as they were saved, with --weights-of last"


@dataclass(frozen=True)
class _Optimizer:
    """A schedule-free optimizer's state: what was kept of each parameter, by its number."""

    kept: Mapping[int, torch.Tensor]
    count: int
    """Parameters that it was given, those without a gradient included."""
    beta: float
    at_average: bool
    """Whether it was saved in its evaluation mode, in which the weights are the average already."""


def has_average(tree: Mapping[str, Any]) -> bool:
    """Whether any optimizer of a checkpoint is a schedule-free one."""
    return any(
        isinstance(kept, Mapping) and KEPT in kept
        for optimizer in _sequence(tree.get("optimizer_states"))
        for kept in _mapping(_mapping(optimizer).get("state")).values()
    )


def average_of(tree: Mapping[str, Any], unwrapped: Unwrapped, file: Path) -> tuple[State, str]:
    """The schedule-free average of a network's weights, and how it was made, in a sentence.

    Parameters that never had a gradient, such as frozen ones, stay as they are. Raises EnvironmentFault for
    a checkpoint without a schedule-free optimizer, and for one whose parameters are not those of the network.
    """
    optimizer = _read(tree, file)
    if optimizer.at_average:
        return unwrapped.state, "the schedule-free average, which its optimizer saved in evaluation mode"
    names = _names(tree, unwrapped, optimizer, file)
    averaged, tensors = dict(unwrapped.state), _tensors(tree)
    for number, kept in optimizer.kept.items():
        name = names[number]
        saved = tensors[name]
        if saved.shape != kept.shape or not saved.is_floating_point():
            raise _fault(
                f"{KEPT} of parameter {number} has the shape {tuple(kept.shape)}",
                file,
                f"{tuple(saved.shape)}, as {name}",
            )
        if name.startswith(unwrapped.prefix):
            averaged[name.removeprefix(unwrapped.prefix)] = saved.lerp(
                kept.to(saved.dtype), 1 - 1 / optimizer.beta
            )
    told = f"the schedule-free average x = y.lerp(z, 1 - 1 / {optimizer.beta:g}) of its optimizer_states"
    return averaged, f"{told}; {optimizer.count - len(optimizer.kept)} tensors without a gradient as saved"


def _names(
    tree: Mapping[str, Any], unwrapped: Unwrapped, optimizer: _Optimizer, file: Path
) -> tuple[str, ...]:
    """The state_dict's name of each parameter: an optimizer numbers them in the module's own order.

    A MedNeXt holds parameters alone, no buffers; entries beside the network may be either.
    """
    every = list(_tensors(tree))
    own = [name for name in every if name.startswith(unwrapped.prefix)]
    for names in (own, every):
        if len(names) == optimizer.count:
            return tuple(names)
    raise _fault(
        f"the optimizer was given {optimizer.count} parameters", file, f"{len(own)}, as the network has"
    )


def _read(tree: Mapping[str, Any], file: Path) -> _Optimizer:
    optimizers = [_mapping(one) for one in _sequence(tree.get("optimizer_states"))]
    if len(optimizers) != 1:
        raise _fault(f"optimizer_states hold {len(optimizers)} optimizers", file, "a schedule-free one")
    groups = [_mapping(group) for group in _sequence(optimizers[0].get("param_groups"))]
    if len(groups) != 1:
        # The numbers follow the groups, and which parameter is in which group no checkpoint says
        raise _fault(f"its optimizer has {len(groups)} groups of parameters", file, "one group")
    numbers, betas = _sequence(groups[0].get("params")), _sequence(groups[0].get("betas"))
    kept = {
        number: _mapping(state)[KEPT]
        for number, state in _mapping(optimizers[0].get("state")).items()
        if KEPT in _mapping(state)
    }
    if not kept or not betas or not isinstance(betas[0], float) or not 0 < betas[0] < 1:
        raise _fault("its optimizer keeps no z and beta", file, "a schedule-free optimizer")
    sound = all(type(number) is int for number in (*numbers, *kept)) and all(
        isinstance(z, torch.Tensor) and z.is_floating_point() for z in kept.values()
    )
    if not sound or numbers != tuple(range(len(numbers))) or not set(kept) <= set(numbers):
        raise _fault("its optimizer's state is damaged", file, f"a tensor {KEPT} for each parameter's number")
    return _Optimizer(kept, len(numbers), betas[0], groups[0].get("train_mode", True) is False)


def _tensors(tree: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of the state_dict, in its order."""
    state = _mapping(tree.get("state_dict"))
    return {str(name): value for name, value in state.items() if isinstance(value, torch.Tensor)}


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()


def _fault(found: str, file: Path, expected: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"gives no schedule-free average: {found}", file=file, expected=expected, hint=FIX
    )
