"""Lower the resolution of channels: Gaussian blur and low resolution, as nnU-Net does.

Each function changes the image in place. Parameters are numpy arrays on the host, NaN for channels that stay.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from segcube.training.augment.draws import Rngs, happens
from segcube.training.augment.intensity import chosen
from segcube.training.recipes import Blur, LowResolution

TRUNCATE = 6
"""Deviations that a blur's kernel covers."""


def draw_blur(blur: Blur, rngs: Rngs, channels: int) -> NDArray[np.float64]:
    """Draw the deviation of a blur along each axis, in voxels: (B, C, 3)."""
    sigmas_bck = np.array([rng.uniform(*blur.sigma, (channels, 3)) for rng in rngs])
    sigmas_bck[~_drawn(rngs, blur.p, blur.p_channel, channels)] = np.nan
    return sigmas_bck


def draw_low_resolution(low: LowResolution, rngs: Rngs, channels: int) -> NDArray[np.float64]:
    """Draw the share of voxels that are left along each axis: (B, C)."""
    scales_bc = np.array([rng.uniform(*low.scale, channels) for rng in rngs])
    scales_bc[~_drawn(rngs, low.p, low.p_channel, channels)] = np.nan
    return scales_bc


def _drawn(rngs: Rngs, p: float, p_channel: float, channels: int) -> NDArray[np.bool_]:
    return np.array([(rng.random(channels) < p_channel) & happens(rng, p) for rng in rngs])


def blur(image_bcxyz: torch.Tensor, sigmas_bck: NDArray[np.float64]) -> None:
    """Blur channels by a Gaussian along each axis, borders mirrored (GaussianBlurTransform)."""
    for sample, channel in np.argwhere(~np.isnan(sigmas_bck[..., 0])):
        channel_xyz = image_bcxyz[int(sample), int(channel)]
        blurred_xyz = channel_xyz
        for axis, sigma in enumerate(sigmas_bck[sample, channel]):
            weights = gaussian_weights(float(sigma), channel_xyz.shape[axis])
            blurred_xyz = _blur_axis(blurred_xyz, axis, weights)
        channel_xyz.copy_(blurred_xyz)


def gaussian_weights(sigma: float, most: int) -> NDArray[np.float64]:
    """Return the weights of a Gaussian from its centre to one side, at most `most`; all sides add up to 1.

    The number of both sides is batchgeneratorsv2's: the odd number next to 6 sigma + 0.5.
    """
    size = sigma * TRUNCATE + 0.5
    rounded = round(size)
    if rounded % 2 == 0:
        rounded += 1 if size >= rounded else -1
    weights = np.exp(-0.5 * (np.arange(min((rounded + 1) // 2, most)) / sigma) ** 2)
    return weights / (2 * weights.sum() - weights[0])


def _blur_axis(channel_xyz: torch.Tensor, axis: int, weights: NDArray[np.float64]) -> torch.Tensor:
    """Add shifted copies: convolutions may run in reduced precision on a GPU, and are slower on a CPU."""
    size, reach = channel_xyz.shape[axis], len(weights) - 1
    before = channel_xyz.narrow(axis, 1, reach).flip(axis)
    after = channel_xyz.narrow(axis, size - 1 - reach, reach).flip(axis)
    padded = torch.cat([before, channel_xyz, after], axis)
    blurred = padded.narrow(axis, reach, size) * float(weights[0])
    for step, weight in enumerate(weights[1:], start=1):
        for start in (reach - step, reach + step):
            blurred.add_(padded.narrow(axis, start, size), alpha=float(weight))
    return blurred


def lower_resolution(
    image_bcxyz: torch.Tensor, scales_bc: NDArray[np.float64], kept: tuple[int, ...]
) -> None:
    """Take the nearest voxels of a coarser grid and interpolate back (SimulateLowResolutionTransform).

    kept: axes whose resolution stays.
    """
    for channel_xyz, scale in chosen(image_bcxyz, scales_bc):
        shape = list(channel_xyz.shape)
        coarse = [size if axis in kept else max(1, round(size * scale)) for axis, size in enumerate(shape)]
        low = functional.interpolate(channel_xyz[None, None], coarse, mode="nearest-exact")
        channel_xyz.copy_(functional.interpolate(low, shape, mode="trilinear", align_corners=False)[0, 0])
