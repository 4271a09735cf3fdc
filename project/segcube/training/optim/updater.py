"""Updates of a network's weights: torch's optimizers, averaged or not, or schedule-free AdamW."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch

from segcube.training.optim.schedule_free import ScheduleFreeAdamW
from segcube.training.recipes import Optimizer


class Updater(Protocol):
    """An optimizer whose state is tensors by name, and which knows the weights to validate and export."""

    def step(self, rate: float) -> None:
        """Update the weights by their gradients, with a learning rate."""
        ...

    def averaged(self) -> dict[str, torch.Tensor]:
        """Return the weights to validate and export, as new tensors; the training is not changed."""
        ...

    def state(self) -> dict[str, torch.Tensor]:
        """Return all that a training needs to go on, besides the weights."""
        ...

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Restore a state. Raises KeyError for one of other weights."""
        ...


def build_updater(network: torch.nn.Module, optimizer: Optimizer) -> Updater:
    """Build the optimizer of a recipe for the weights of a network that take a gradient."""
    parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if optimizer.kind == "schedule-free-adamw":
        return ScheduleFreeAdamW(parameters, optimizer)
    return TorchUpdater(parameters, optimizer)


class TorchUpdater:
    """One of torch's optimizers; with `optimizer.average` an exponential moving average of the weights."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], optimizer: Optimizer) -> None:
        self._parameters = dict(parameters)
        self._optimizer = _torch_optimizer(list(parameters.values()), optimizer)
        self._decay = optimizer.average
        self._average = {name: p.detach().clone() for name, p in parameters.items()} if self._decay else {}

    def step(self, rate: float) -> None:
        """Update the weights, then their moving average."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        if self._decay:
            for name, value in self._average.items():
                value.lerp_(self._parameters[name].detach(), 1 - self._decay)

    def averaged(self) -> dict[str, torch.Tensor]:
        """Return the moving average if there is one, or else the weights."""
        weights = self._average or self._parameters
        return {name: value.detach().clone() for name, value in weights.items()}

    def state(self) -> dict[str, torch.Tensor]:
        """Return torch's state of each weight and the moving average, by name; not copies."""
        found = {f"average/{name}": value for name, value in self._average.items()}
        for name, parameter in self._parameters.items():
            found |= {f"{key}/{name}": value for key, value in self._optimizer.state[parameter].items()}
        return found

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Restore a state; a weight that has not been updated yet has none."""
        for name, parameter in self._parameters.items():
            keys = [key for key in _STATE_KEYS if f"{key}/{name}" in state]
            self._optimizer.state[parameter] = {
                key: state[f"{key}/{name}"].clone()
                if key == "step"
                else _as(state[f"{key}/{name}"], parameter)
                for key in keys
            }
        for name, value in self._average.items():
            value.copy_(state[f"average/{name}"])


_STATE_KEYS = ("momentum_buffer", "step", "exp_avg", "exp_avg_sq")


def _as(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(parameter).copy_(value)


def _torch_optimizer(parameters: list[torch.nn.Parameter], optimizer: Optimizer) -> torch.optim.Optimizer:
    decay, rate = optimizer.weight_decay, optimizer.learning_rate
    if optimizer.kind == "sgd":
        nesterov = optimizer.nesterov and optimizer.momentum > 0
        return torch.optim.SGD(parameters, rate, optimizer.momentum, weight_decay=decay, nesterov=nesterov)
    kind = torch.optim.AdamW if optimizer.kind == "adamw" else torch.optim.Adam
    return kind(parameters, rate, optimizer.betas, optimizer.eps, weight_decay=decay)
