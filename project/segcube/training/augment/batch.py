"""A training batch: cut each sample's patch, then change the intensities of the batch on its device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from segcube.training.augment import intensity, masks, resolution
from segcube.training.augment.cut import Patch, cut_patch
from segcube.training.augment.draws import draw_for_samples, sample_rngs
from segcube.training.augment.grid import PatchGrid
from segcube.training.augment.spatial import displacement, draw_spatial
from segcube.training.cache import CaseTensors
from segcube.training.keys import StepKey
from segcube.training.patches import (
    IGNORE,
    OUTSIDE,
    PatchDraw,
    PatchRules,
    is_dummy_2d,
    masked_channels,
    mirror_axes,
)
from segcube.training.recipes import (
    AdjustContrast,
    Blur,
    Brightness,
    Contrast,
    Gamma,
    IntensityTransform,
    LowResolution,
    Noise,
    Scale,
    Shift,
)


@dataclass(frozen=True)
class Batch:
    """A batch on its device: image float32 and labels uint8, which may be OUTSIDE or IGNORE."""

    image_bcxyz: torch.Tensor
    labels_bxyz: torch.Tensor

    @property
    def target(self) -> torch.Tensor:
        """The labels."""
        return self.labels_bxyz


class IndexedCases(Protocol):
    """Cases by the numbers that draws have: a sequence, or a mapping of those that a batch shows."""

    def __getitem__(self, index: int, /) -> CaseTensors: ...


def make_batch(
    cases: IndexedCases,
    draws: Sequence[PatchDraw],
    rules: PatchRules,
    key: StepKey,
    device: torch.device,
) -> Batch:
    """Cut and augment the patches of a step.

    cases: on the host or on the device. Equal for equal key, draws and rules; nothing waits for the device.
    """
    augmentation, cascade = rules.augmentation, rules.cascade
    channels = len(rules.branch.channels)
    image_bcxyz = torch.empty((len(draws), channels, *rules.patch), dtype=torch.float32, device=device)
    labels_bxyz = torch.empty((len(draws), *rules.patch), dtype=torch.uint8, device=device)
    previous_bxyz = None
    if cascade is not None:
        previous_bxyz = torch.empty_like(labels_bxyz)
    axes = mirror_axes(augmentation.spatial, rules.branch)
    for place, draw in enumerate(draws):
        rng = key.generator("spatial", draw.sample)
        spatial = draw_spatial(augmentation.spatial, rules.patch, axes, rng)
        field_kxyz = None
        if spatial.elastic is not None:
            field_kxyz = displacement(
                _normal((3, *rules.patch), "elastic", key, draw, device), spatial.elastic
            )
        grid = PatchGrid(rules.patch, draw.centre, spatial)
        previous_xyz = None if previous_bxyz is None else previous_bxyz[place]
        patch = Patch(image_bcxyz[place], labels_bxyz[place], previous_xyz, rules.masks)
        cut_patch(cases[draw.case], grid, augmentation.spatial, field_kxyz, patch)
    for place, transform in enumerate(augmentation.intensity):
        change_intensity(image_bcxyz, transform, f"{transform.kind} {place}", draws, rules, key)
    if augmentation.zero_outside:
        intensity.zero_outside(image_bcxyz, labels_bxyz == OUTSIDE, masked_channels(rules.branch))
    if cascade is not None and previous_bxyz is not None:
        masks.change_masks(previous_bxyz, cascade, rules.masks, draws, key)
        if cascade.as_ == "onehot_channels":
            one_hot_bkxyz = masks.one_hot(previous_bxyz, rules.masks)
            return Batch(torch.cat([image_bcxyz, one_hot_bkxyz], dim=1), labels_bxyz)
        # The gate is dilated after augmentation, as in MBAS; what lies outside takes no part in the loss
        labels_bxyz.masked_fill_(~masks.dilate_masks(previous_bxyz, cascade.dilate), IGNORE)
    return Batch(image_bcxyz, labels_bxyz)


def change_intensity(
    image_bcxyz: torch.Tensor,
    transform: IntensityTransform,
    purpose: str,
    draws: Sequence[PatchDraw],
    rules: PatchRules,
    key: StepKey,
) -> None:
    """Apply one intensity transform, in place, to the samples that it is drawn for.

    purpose: names its random numbers.
    """
    rngs = sample_rngs(key, purpose, [draw.sample for draw in draws])
    channels = image_bcxyz.shape[1]
    match transform:
        case Noise():
            sigmas = draw_for_samples(rngs, transform.p, transform.sigma)
            intensity.add_noise(
                image_bcxyz,
                sigmas,
                lambda place, shape: _normal(shape, purpose, key, draws[place], image_bcxyz.device),
            )
        case Blur():
            resolution.blur(image_bcxyz, resolution.draw_blur(transform, rngs, channels))
        case Brightness():
            intensity.multiply(image_bcxyz, intensity.draw_factors(transform, rngs, channels))
        case Contrast():
            intensity.change_contrast(image_bcxyz, intensity.draw_factors(transform, rngs, channels))
        case Gamma():
            factors = intensity.draw_factors(transform, rngs, channels)
            intensity.change_gamma(image_bcxyz, factors, transform.invert)
        case LowResolution():
            scales = resolution.draw_low_resolution(transform, rngs, channels)
            kept = (0,) if is_dummy_2d(rules.augmentation.spatial, rules.patch) else ()
            resolution.lower_resolution(image_bcxyz, scales, kept)
        case Scale():
            ends = (1 - transform.factor, 1 + transform.factor)
            intensity.multiply(image_bcxyz, draw_for_samples(rngs, transform.p, ends))
        case Shift():
            ends = (-transform.offset, transform.offset)
            intensity.shift(image_bcxyz, draw_for_samples(rngs, transform.p, ends))
        case AdjustContrast():
            intensity.adjust_contrast(image_bcxyz, draw_for_samples(rngs, transform.p, transform.gamma))


def _normal(
    shape: Sequence[int], purpose: str, key: StepKey, draw: PatchDraw, device: torch.device
) -> torch.Tensor:
    """Standard normal noise of a sample, drawn on the device."""
    generator = key.device_generator(f"{purpose} noise", device, draw.sample)
    return torch.randn(tuple(shape), generator=generator, device=device)
