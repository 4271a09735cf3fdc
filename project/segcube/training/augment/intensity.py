"""Change intensities: noise, brightness, contrast and gamma as nnU-Net does, scale and shift as MONAI does.

Each function changes the image in place. Parameters are numpy arrays on the host, of each sample (B,) or of
each channel of each sample (B, C); NaN leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from segcube.training.augment.draws import Rngs, below_or_above, happens
from segcube.training.recipes import Brightness, Contrast, Gamma

SMALLEST_RANGE = 1e-7
"""Of intensities, and of their deviation, by which gamma divides."""


def draw_factors(transform: Brightness | Contrast | Gamma, rngs: Rngs, channels: int) -> NDArray[np.float64]:
    """Draw the factor of every channel of the samples that the transform applies to: (B, C)."""
    return np.array(
        [
            below_or_above(rng, transform.factor, channels)
            if happens(rng, transform.p)
            else np.full(channels, np.nan)
            for rng in rngs
        ]
    )


def add_noise(
    image_bcxyz: torch.Tensor,
    sigmas_b: NDArray[np.float64],
    normal: Callable[[int, torch.Size], torch.Tensor],
) -> None:
    """Add Gaussian noise of one deviation to all channels of a sample (GaussianNoiseTransform).

    normal: returns standard normal noise of a shape on the image's device for a sample's index.
    """
    for sample in np.flatnonzero(~np.isnan(sigmas_b)):
        one_cxyz = image_bcxyz[sample]
        one_cxyz.add_(normal(int(sample), one_cxyz.shape), alpha=float(sigmas_b[sample]))


def multiply(image_bcxyz: torch.Tensor, factors: NDArray[np.float64]) -> None:
    """Multiply samples (B,) or channels (B, C) by a factor (MultiplicativeBrightnessTransform)."""
    for part, factor in chosen(image_bcxyz, factors):
        part.mul_(factor)


def shift(image_bcxyz: torch.Tensor, offsets_b: NDArray[np.float64]) -> None:
    """Add an offset to all voxels of a sample, zeros included (MONAI's ShiftIntensity)."""
    for part, offset in chosen(image_bcxyz, offsets_b):
        part.add_(offset)


def change_contrast(image_bcxyz: torch.Tensor, factors_bc: NDArray[np.float64]) -> None:
    """Multiply the distance of a channel's voxels to their mean, within its range (ContrastTransform)."""
    for channel_xyz, factor in chosen(image_bcxyz, factors_bc):
        mean, (low, high) = channel_xyz.mean(), torch.aminmax(channel_xyz)
        channel_xyz.mul_(factor).add_(mean * (1 - factor)).clamp_(low, high)


def change_gamma(image_bcxyz: torch.Tensor, factors_bc: NDArray[np.float64], invert: bool) -> None:
    """Raise a channel, scaled to 0..1, to a power; its mean and deviation stay (GammaTransform).

    invert: raises the negative of the channel.
    """
    for channel_xyz, factor in chosen(image_bcxyz, factors_bc):
        if invert:
            channel_xyz.neg_()
        # std_mean is five times as slow as both on a CPU
        deviation, mean = channel_xyz.std(), channel_xyz.mean()
        _raise(channel_xyz, factor)
        raised_deviation, raised_mean = channel_xyz.std(), channel_xyz.mean()
        scale = deviation / raised_deviation.clamp(min=SMALLEST_RANGE)
        if invert:
            scale, mean = -scale, -mean
        channel_xyz.sub_(raised_mean).mul_(scale).add_(mean)


def adjust_contrast(image_bcxyz: torch.Tensor, gammas_b: NDArray[np.float64]) -> None:
    """Raise a sample, all channels scaled to 0..1 together, to a power (MONAI's AdjustContrast)."""
    for part_cxyz, gamma in chosen(image_bcxyz, gammas_b):
        _raise(part_cxyz, gamma)


def zero_outside(image_bcxyz: torch.Tensor, outside_bxyz: torch.Tensor, channels: tuple[int, ...]) -> None:
    """Set channels to 0 where a mask (B, X, Y, Z) is true (nnU-Net's MaskImageTransform)."""
    if channels:
        inside_bxyz = (~outside_bxyz).float()
        for channel in channels:
            image_bcxyz[:, channel].mul_(inside_bxyz)


def _raise(part: torch.Tensor, power: float) -> None:
    low, high = torch.aminmax(part)
    span = high - low
    part.sub_(low).div_(span.clamp(min=SMALLEST_RANGE))
    # Twice as fast as a power on a CPU; the logarithm of 0 is -inf, whose exponential is 0
    part.log_().mul_(power).exp_()
    part.mul_(span).add_(low)


def chosen(image_bcxyz: torch.Tensor, values: NDArray[np.float64]) -> Iterator[tuple[torch.Tensor, float]]:
    """Yield each sample, or channel of a sample, that has a value, as a view, and the value."""
    for index in np.argwhere(~np.isnan(values)):
        place = tuple(int(at) for at in index)
        yield image_bcxyz[place], float(values[place])
