"""Schedule-free AdamW, with the average computed out of place."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from segcube.training.recipes import Optimizer

COUNTS = "schedule_free/counts"


class ScheduleFreeAdamW:
    """Schedule-free AdamW (Defazio et al. 2024, arXiv 2405.15682), the weights always at y.

    Equals schedulefree.AdamWScheduleFree in train mode. That class switches the weights between y and the
    average x in place, by two interpolations that do not give the same y back; here a validation cannot
    change the training.
    """

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], optimizer: Optimizer) -> None:
        self._y = dict(parameters)
        self._optimizer = optimizer
        self._z = {name: parameter.detach().clone() for name, parameter in self._y.items()}
        self._square = {name: torch.zeros_like(parameter) for name, parameter in self._y.items()}
        self._steps = 0
        self._weight_sum = 0.0
        self._largest_rate = 0.0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update the weights by their gradients, which are used up; weights without one stay."""
        beta1, beta2 = self._optimizer.betas
        self._largest_rate = max(self._largest_rate, rate)
        weight = self._largest_rate**2
        self._weight_sum += weight
        share = weight / self._weight_sum if self._weight_sum else 0.0
        correction = 1 - beta2 ** (self._steps + 1)
        self._steps += 1
        for name, y in self._y.items():
            if y.grad is None:
                continue
            z, square = self._z[name], self._square[name]
            square.mul_(beta2).addcmul_(y.grad, y.grad, value=1 - beta2)
            direction = y.grad.div_((square / correction).sqrt_().add_(self._optimizer.eps))
            if self._optimizer.weight_decay:
                direction.add_(y, alpha=self._optimizer.weight_decay)
            y.lerp_(z, share)
            y.add_(direction, alpha=rate * (beta1 * (1 - share) - 1))
            z.sub_(direction, alpha=rate)

    def averaged(self) -> dict[str, torch.Tensor]:
        """Return the average x = y + (1 - 1 / beta1) (z - y) of each weight, as new tensors."""
        share = 1 - 1 / self._optimizer.betas[0]
        return {name: torch.lerp(y.detach(), self._z[name], share) for name, y in self._y.items()}

    def state(self) -> dict[str, torch.Tensor]:
        """Return z, the second moments and the counts, by name; not copies."""
        counts = torch.tensor([self._steps, self._weight_sum, self._largest_rate], dtype=torch.float64)
        z = {f"z/{name}": value for name, value in self._z.items()}
        return {COUNTS: counts, **z, **{f"square/{name}": value for name, value in self._square.items()}}

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Restore a state. Raises KeyError for one of other weights."""
        steps, self._weight_sum, self._largest_rate = state[COUNTS].tolist()
        self._steps = int(steps)
        for name in self._y:
            self._z[name].copy_(state[f"z/{name}"])
            self._square[name].copy_(state[f"square/{name}"])
