"""What the network sees: scaled intensities, and the label map as channels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from segcube.diffusion.process import Process
from segcube.training import OUTSIDE, StepKey

LOW, HIGH = -5.0, 8.0
"""z-scores beyond are clipped."""
GAIN = 0.5
"""Of z-scores, so that images have a lower variance than the noise."""
LIMITS = (LOW * GAIN, HIGH * GAIN)
LEVELS = 100
"""Written intensities are whole; so many of them are a standard deviation."""


class DenoisingBatch(NamedTuple):
    """A batch on its device: noisy image, condition and time as channels, and what they are to give."""

    image_bcxyz: torch.Tensor
    target: torch.Tensor


def scaled(image_bcxyz: torch.Tensor) -> torch.Tensor:
    """Scale z-scores for the network."""
    return image_bcxyz.clamp(LOW, HIGH) * GAIN


def condition(labels_bxyz: torch.Tensor, labels: int) -> torch.Tensor:
    """Return a label map as channels (B, K, X, Y, Z): each label but the background, and the body.

    labels_bxyz: uint8 indices; OUTSIDE is outside of the body. labels: their number, the background included.
    """
    masks = [labels_bxyz == index for index in range(1, labels)] + [labels_bxyz != OUTSIDE]
    return torch.stack(masks, dim=1).float()


def network_input(noisy_bcxyz: torch.Tensor, masks_bkxyz: torch.Tensor, time_b: torch.Tensor) -> torch.Tensor:
    """Join what the network gets; the time is a constant channel, because a network has one input."""
    time_bcxyz = time_b.view(-1, 1, 1, 1, 1).expand(-1, 1, *noisy_bcxyz.shape[2:])
    return torch.cat([noisy_bcxyz, masks_bkxyz, time_bcxyz], dim=1)


def make_denoising_batch(
    image_bcxyz: torch.Tensor, masks_bkxyz: torch.Tensor, process: Process, key: StepKey
) -> DenoisingBatch:
    """Add the noise of a step to scaled images: a function of these and the key."""
    device, count = image_bcxyz.device, len(image_bcxyz)
    noise = [
        torch.randn(
            image_bcxyz.shape[1:], generator=key.device_generator("noise", device, sample), device=device
        )
        for sample in range(count)
    ]
    times = [process.draw_time(key.generator("time", sample)) for sample in range(count)]
    time_b = torch.tensor(times, dtype=torch.float32, device=device)
    noised = process.add_noise(image_bcxyz, torch.stack(noise), time_b)
    return DenoisingBatch(network_input(noised.noisy_bcxyz, masks_bkxyz, time_b), noised.target_bcxyz)


def as_intensities(image_cxyz: np.ndarray, body_xyz: np.ndarray) -> NDArray[np.int16]:
    """Return z-scores as intensities of a file: 1 and more within the body, 0 outside."""
    levels = np.round((np.clip(image_cxyz, LOW, HIGH) - LOW) * LEVELS) + 1
    return np.where(body_xyz, levels, 0).astype(np.int16)
