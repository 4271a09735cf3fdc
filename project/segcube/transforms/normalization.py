"""Normalise intensities as nnU-Net, MONAI and BraTS-UGRIP do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from segcube.core import (
    Array,
    CaseError,
    Code,
    array_namespace,
    as_array_like,
    as_float,
    for_each_slab,
    sum_over_slabs,
    to_numpy,
)
from segcube.spec.submission import Normalize
from segcube.transforms.morphology import fill_holes, intensity_mask

SMALLEST_DIVISOR = 1e-8
"""The smallest divisor that nnU-Net allows."""
SMALLER = 2.0**-64
"""Scales any finite intensity so that its square fits float32; a power of 2 needs no rounding."""


def normalize(
    image_cxyz: Array,
    schemes: Sequence[Normalize],
    labelled_xyz: Array | None = None,
    foreground_xyz: Array | None = None,
    in_place: bool = False,
) -> Array:
    """Normalise each channel by its own scheme.

    image_cxyz: (C, X, Y, Z), cropped as in training: the statistics of some schemes depend on it.
    labelled_xyz: voxels with a label of a previous stage; they count as foreground whatever their intensity,
    as in nnU-Net's cascades. foreground_xyz: the foreground, where it cannot be derived from the image.
    Returns floats of that shape: a new array, or with in_place the image itself if it is float. Raises
    CaseError (RANGE) for values outside 0..255 in a channel of scheme rgb01.
    """
    xp = array_namespace(image_cxyz)
    image_cxyz = as_float(image_cxyz)
    if foreground_xyz is None and any(
        scheme.mask == "foreground" and _uses_mask(scheme) for scheme in schemes
    ):
        foreground_xyz = foreground_mask(image_cxyz)
        if labelled_xyz is not None:
            foreground_xyz = foreground_xyz | labelled_xyz
    normalized_cxyz = image_cxyz if in_place else xp.empty_like(image_cxyz)
    for index, scheme in enumerate(schemes):
        channel_xyz = image_cxyz[index]
        mask_xyz = _mask(channel_xyz, scheme.mask, foreground_xyz) if _uses_mask(scheme) else None
        if scheme.scheme == "zscore" and scheme.percentiles is None:
            zscore(channel_xyz, mask_xyz, normalized_cxyz[index])
        else:
            normalized_cxyz[index] = _normalize_channel(channel_xyz, mask_xyz, scheme)
    return normalized_cxyz


def foreground_mask(image_cxyz: Array) -> Array:
    """The union of the channels' non-zero voxels with its holes filled, as nnU-Net masks: (X, Y, Z) bool."""
    return as_array_like(fill_holes(to_numpy(intensity_mask(image_cxyz, "nonzero"))), image_cxyz)


def zscore(channel_xyz: Array, mask_xyz: Array | None = None, out_xyz: Array | None = None) -> Array:
    """Subtract the mean and divide by the standard deviation of the mask; voxels outside it stay.

    No mask means all voxels. A constant becomes 0. An empty mask changes nothing. Sums are in float64.
    out_xyz: receives the result, may be the channel itself; None for a new array.
    Equals MONAI's NormalizeIntensity(nonzero=True) for the mask of non-zero voxels, and nnU-Net's
    ZScoreNormalization for its foreground mask or none.
    """
    xp = array_namespace(channel_xyz)
    to_xyz = xp.empty_like(channel_xyz) if out_xyz is None else out_xyz

    def mean_of(value: Callable[[Array], Array]) -> float:
        def total(slab: slice) -> float:
            values = channel_xyz[slab] if mask_xyz is None else channel_xyz[slab][mask_xyz[slab]]
            # An overflow is handled below
            with np.errstate(over="ignore", invalid="ignore"):
                return float(xp.sum(value(values), dtype=xp.float64))

        return sum_over_slabs(total, channel_xyz) / max(count, 1)

    count = math.prod(channel_xyz.shape) if mask_xyz is None else int(xp.sum(mask_xyz, dtype=xp.int64))
    mean = mean_of(lambda values: values)
    variance = mean_of(lambda values: (values - mean) ** 2)
    if not math.isfinite(variance):
        # Squares overflow float32: scale the intensities, which does not change the result
        smaller_xyz = zscore(channel_xyz * SMALLER, mask_xyz)
        to_xyz[...] = smaller_xyz if mask_xyz is None else xp.where(mask_xyz, smaller_xyz, channel_xyz)
        return to_xyz
    divisor = max(math.sqrt(variance), SMALLEST_DIVISOR)

    def put(slab: slice) -> None:
        scaled_xyz = (channel_xyz[slab] - mean) / divisor
        if mask_xyz is not None:
            scaled_xyz = xp.where(mask_xyz[slab], scaled_xyz, channel_xyz[slab])
        to_xyz[slab] = scaled_xyz if count else channel_xyz[slab]

    for_each_slab(put, channel_xyz)
    return to_xyz


def ct(channel_xyz: Array, bounds: tuple[float, float], mean: float, std: float) -> Array:
    """Clip to `bounds`, subtract `mean`, divide by `std`: nnU-Net's CTNormalization with its fingerprint."""
    xp = array_namespace(channel_xyz)
    return (xp.clip(channel_xyz, bounds[0], bounds[1]) - mean) / max(std, SMALLEST_DIVISOR)


def rescale01(channel_xyz: Array) -> Array:
    """Map the channel's lowest value to 0 and its highest to 1; a constant becomes 0."""
    xp = array_namespace(channel_xyz)
    shifted_xyz = channel_xyz - xp.min(channel_xyz)
    return shifted_xyz / max(float(xp.max(shifted_xyz)), SMALLEST_DIVISOR)


def rgb01(channel_xyz: Array) -> Array:
    """Divide bytes by 255. Raises CaseError (RANGE) for values outside 0..255."""
    xp = array_namespace(channel_xyz)
    low, high = float(xp.min(channel_xyz)), float(xp.max(channel_xyz))
    if low < 0 or high > 255:
        raise CaseError(Code.RANGE, f"intensities from {low:g} to {high:g}", expected="colours from 0 to 255")
    return channel_xyz / 255


def percentiles01(channel_xyz: Array, mask_xyz: Array | None, percentiles: tuple[float, float]) -> Array:
    """Clip the mask's voxels to two of its percentiles and map these to 0 and 1; voxels outside it stay.

    No mask means all voxels; an empty mask changes nothing; equal percentiles give 0. Percentiles are
    interpolated linearly, as numpy does. Equals MONAI's ScaleIntensityRangePercentiles(b_min=0, b_max=1,
    clip=True) on these voxels.
    """
    xp = array_namespace(channel_xyz)
    values = xp.reshape(channel_xyz, (-1,)) if mask_xyz is None else channel_xyz[mask_xyz]
    if values.shape[0] == 0:
        return channel_xyz
    ordered = xp.sort(values)
    low, high = (_percentile(ordered, percentile) for percentile in percentiles)
    scaled_xyz = (xp.clip(channel_xyz, low, high) - low) / max(high - low, SMALLEST_DIVISOR)
    return scaled_xyz if mask_xyz is None else xp.where(mask_xyz, scaled_xyz, channel_xyz)


def _percentile(ordered: Array, percentile: float) -> float:
    position = (ordered.shape[0] - 1) * percentile / 100
    below = math.floor(position)
    low, high = float(ordered[below]), float(ordered[min(below + 1, ordered.shape[0] - 1)])
    return low + (high - low) * (position - below)


def _uses_mask(scheme: Normalize) -> bool:
    return scheme.scheme == "zscore" or scheme.percentiles is not None


def _mask(
    channel_xyz: Array, kind: Literal["nonzero", "foreground", "none"], foreground_xyz: Array | None
) -> Array | None:
    if kind == "nonzero":
        return channel_xyz != 0
    return foreground_xyz if kind == "foreground" else None


def _normalize_channel(channel_xyz: Array, mask_xyz: Array | None, scheme: Normalize) -> Array:
    if scheme.percentiles is not None:
        channel_xyz = percentiles01(channel_xyz, mask_xyz, scheme.percentiles)
    match scheme.scheme:
        case "zscore":
            return zscore(channel_xyz, mask_xyz)
        case "ct":
            assert scheme.bounds is not None
            assert scheme.mean is not None
            assert scheme.std is not None
            return ct(channel_xyz, scheme.bounds, scheme.mean, scheme.std)
        case "rescale01":
            return rescale01(channel_xyz)
        case "rgb01":
            return rgb01(channel_xyz)
        case "none":
            return channel_xyz


def int16_abs(image: Array) -> Array:
    """Truncate towards zero to int16, then take the absolute value; returns float32.

    Values beyond int16 wrap around and -32768 stays negative, as with numpy's astype and abs (BraTS-UGRIP).
    """
    xp = array_namespace(image)
    # float to int16 is undefined beyond its range; int32 to int16 wraps on every device
    whole = xp.astype(xp.astype(image, xp.int32), xp.int16)
    return xp.astype(xp.abs(whole), xp.float32)
