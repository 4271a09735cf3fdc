"""Noise added to images for training, and removed in steps for sampling: rectified flow, and DDPM.

Time runs from 0, the image, to 1, noise; both processes take it as a float for each sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch

from segcube.diffusion.recipe import ProcessRules

OFFSET = 0.008
"""Of the cosine schedule, s in Nichol and Dhariwal 2021."""
LARGEST_BETA = 0.999


class Noised(NamedTuple):
    """An image with noise, and what the network has to predict from it; shapes (B, C, X, Y, Z)."""

    noisy_bcxyz: torch.Tensor
    target_bcxyz: torch.Tensor


class Process(Protocol):
    """A way from image to noise and back."""

    def draw_time(self, rng: np.random.Generator) -> float:
        """Draw the time of a training sample."""
        ...

    def add_noise(self, image_bcxyz: torch.Tensor, noise_bcxyz: torch.Tensor, time_b: torch.Tensor) -> Noised:
        """Return the image at a time of each sample, and the network's target."""
        ...

    def times(self) -> Sequence[float]:
        """Return the times of a sample's forward passes, falling, and the time 0 at last."""
        ...

    def step(
        self,
        noisy_bcxyz: torch.Tensor,
        prediction_bcxyz: torch.Tensor,
        time: float,
        next_time: float,
        generator: torch.Generator,
        /,
    ) -> torch.Tensor:
        """Return the image at an earlier time; generator: of the noise that some samplers add."""
        ...


def build_process(rules: ProcessRules, limits: tuple[float, float]) -> Process:
    """Build the process of a recipe; limits: between which intensities lie, for DDPM's sampler."""
    if rules.kind == "ddpm":
        return CosineDdpm(rules, limits)
    return RectifiedFlow(rules)


class RectifiedFlow:
    """x_t = (1 - t) x + t e; the network predicts x - e, and a sample follows it by Euler steps."""

    def __init__(self, rules: ProcessRules) -> None:
        self._rules = rules

    def draw_time(self, rng: np.random.Generator) -> float:
        """Draw a time between 0 and 1."""
        if self._rules.times == "uniform":
            return float(rng.random())
        return float(1 / (1 + np.exp(-rng.standard_normal())))

    def add_noise(self, image_bcxyz: torch.Tensor, noise_bcxyz: torch.Tensor, time_b: torch.Tensor) -> Noised:
        """Interpolate between image and noise."""
        t = time_b.view(-1, 1, 1, 1, 1)
        return Noised((1 - t) * image_bcxyz + t * noise_bcxyz, image_bcxyz - noise_bcxyz)

    def times(self) -> Sequence[float]:
        """Return times at equal distances."""
        steps = self._rules.sampling_steps
        return [1 - index / steps for index in range(steps + 1)]

    def step(
        self,
        noisy_bcxyz: torch.Tensor,
        prediction_bcxyz: torch.Tensor,
        time: float,
        next_time: float,
        _generator: torch.Generator,
        /,
    ) -> torch.Tensor:
        """Move along the predicted direction."""
        return noisy_bcxyz + (time - next_time) * prediction_bcxyz


class CosineDdpm:
    """Ho et al. 2020 with the cosine schedule, sampled as Song et al. 2021 (DDIM), eta 1 being DDPM's own.

    Of T noise steps, step k (from 1) is the time k / T; 0 is the image itself.
    """

    def __init__(self, rules: ProcessRules, limits: tuple[float, float]) -> None:
        self._rules, self._limits = rules, limits
        steps = rules.noise_steps
        share = (np.arange(steps + 1) / steps + OFFSET) / (1 + OFFSET)
        signal = np.cos(share * math.pi / 2) ** 2
        betas = np.clip(1 - signal[1:] / signal[:-1], 0, LARGEST_BETA)
        self._signal = np.concatenate([[1.0], np.cumprod(1 - betas)])
        """The share of the image's variance after each step, alpha-bar."""

    def draw_time(self, rng: np.random.Generator) -> float:
        """Draw one of the steps."""
        return int(rng.integers(1, self._rules.noise_steps + 1)) / self._rules.noise_steps

    def add_noise(self, image_bcxyz: torch.Tensor, noise_bcxyz: torch.Tensor, time_b: torch.Tensor) -> Noised:
        """Add the noise of a step; the target is that noise."""
        signal = torch.tensor(
            [self._signal_at(time) for time in time_b.tolist()],
            dtype=torch.float32,
            device=image_bcxyz.device,
        ).view(-1, 1, 1, 1, 1)
        return Noised(signal.sqrt() * image_bcxyz + (1 - signal).sqrt() * noise_bcxyz, noise_bcxyz)

    def times(self) -> Sequence[float]:
        """Return the times of steps at equal distances, the last one among them."""
        total, steps = self._rules.noise_steps, self._rules.sampling_steps
        return [round(total - index * total / steps) / total for index in range(steps + 1)]

    def step(
        self,
        noisy_bcxyz: torch.Tensor,
        prediction_bcxyz: torch.Tensor,
        time: float,
        next_time: float,
        generator: torch.Generator,
        /,
    ) -> torch.Tensor:
        """Estimate the image, within the limits of intensities, and add the noise of an earlier step."""
        now, after = self._signal_at(time), self._signal_at(next_time)
        image_bcxyz = (noisy_bcxyz - math.sqrt(1 - now) * prediction_bcxyz) / math.sqrt(now)
        image_bcxyz = image_bcxyz.clamp(*self._limits)
        noise_bcxyz = (noisy_bcxyz - math.sqrt(now) * image_bcxyz) / math.sqrt(1 - now)
        sigma = self._rules.eta * math.sqrt((1 - after) / (1 - now) * (1 - now / after))
        kept = math.sqrt(max(1 - after - sigma**2, 0.0))
        earlier_bcxyz = math.sqrt(after) * image_bcxyz + kept * noise_bcxyz
        if sigma == 0:
            return earlier_bcxyz
        fresh_bcxyz = torch.randn(noisy_bcxyz.shape, generator=generator, device=noisy_bcxyz.device)
        return earlier_bcxyz + sigma * fresh_bcxyz

    def _signal_at(self, time: float) -> float:
        return float(self._signal[round(time * self._rules.noise_steps)])
