"""Measure labelled scans: contrast, noise, composition and size, the same for patients and phantoms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from segcube.core import Grid, bounding_box
from segcube.phantoms.cases import blood_value
from segcube.phantoms.tissues import white_and_grey
from segcube.spec.challenges import Challenge

COMPONENTS = "components"
FEWEST_VOXELS = 20
"""A part of fewer voxels has no contrast."""
COMPONENT_VOXELS = 50
"""A component of fewer voxels doesn't count."""
SCARCE = 0.01
"""A label with a smaller share of the labelled voxels is nearly absent."""
SHELLS_MM = ((0.0, 2.5), (2.5, 5.0), (5.0, 8.0))
"""Outside of the blood; public scans of atria are cropped 8 to 12 mm around it."""
MARGIN_MM = 8.0
OUTSIDE = "box without blood"
BRIGHT = 0.8
NOISE_MM, TEXTURE_MM = 1.5, 6.0
RIM_MM, GAP_MM = 4.0, 5.0
"""Healthy tissue is so far inside the brain, and so far from a lesion."""


class Quantity(NamedTuple):
    """What was measured: a group of rows, the part of the scan, and its channel if it is a brightness."""

    group: str
    part: str
    channel: str = ""


Values = dict[Quantity, float]


@dataclass(frozen=True)
class _Scan:
    """A scan, cropped, with the masks that its brightness is measured in and against."""

    image_cxyz: np.ndarray
    spacing: tuple[float, float, float]
    body_xyz: np.ndarray
    """z-scores are over these voxels."""
    reference_xyz: np.ndarray
    """White matter or blood, whose median brightness is 1."""
    zero_c: np.ndarray
    """The brightness that counts as 0 in each channel."""
    parts: Mapping[str, np.ndarray]


def measure_case(image_cxyz: np.ndarray, labels_xyz: np.ndarray, grid: Grid, challenge: Challenge) -> Values:
    """Measure a labelled scan, with its channels in the challenge's order.

    Brightness is relative to white matter, in brains, or to the blood of the left atrium, whose own ratio is
    left out. A part that the scan has not, or whose reference is missing, gives no value. Shares are of the
    labelled voxels, where the challenge has several labels.
    """
    values = _composition(labels_xyz, challenge) | _sizes(labels_xyz, grid, challenge)
    if blood_value(challenge) is None:
        brain_xyz = np.asarray((image_cxyz > 0).all(axis=0))
        values |= _extents("brain", brain_xyz, grid)
        scan = _brain(image_cxyz, labels_xyz, brain_xyz, grid, challenge)
    else:
        scan = _heart(image_cxyz, labels_xyz, grid, challenge)
    if scan is not None:
        for channel, image_xyz, zero in zip(
            challenge.channel_names, scan.image_cxyz, scan.zero_c, strict=True
        ):
            values |= _brightness(scan, channel, image_xyz - zero)
    return values


def _composition(labels_xyz: np.ndarray, challenge: Challenge) -> Values:
    """Shares of the labels, and whether they are nearly absent, as 0 or 1; components of all together."""
    values: Values = {}
    total = np.count_nonzero(labels_xyz)
    named = {label: value for label, value in challenge.labels.items() if value}
    if total and len(named) > 1:
        for label, value in named.items():
            share = np.count_nonzero(labels_xyz == value) / total
            values[Quantity("composition", f"{label} share")] = share
            values[Quantity("composition", f"{label} below {100 * SCARCE:g} %")] = float(share < SCARCE)
    numbered_xyz = np.zeros(labels_xyz.shape, np.int32)
    ndimage.label(labels_xyz > 0, np.ones((3, 3, 3)), output=numbered_xyz)
    sizes = np.bincount(numbered_xyz.ravel())[1:]
    values[Quantity("composition", COMPONENTS)] = float(np.count_nonzero(sizes >= COMPONENT_VOXELS))
    return values


def _sizes(labels_xyz: np.ndarray, grid: Grid, challenge: Challenge) -> Values:
    values: Values = {}
    for region, labels in challenge.regions.items():
        mask_xyz = np.isin(labels_xyz, [challenge.labels[label] for label in labels])
        values |= _extents(region, mask_xyz, grid)
    return values


def _extents(part: str, mask_xyz: np.ndarray, grid: Grid) -> Values:
    """Volume in mL, and the lengths in mm along the axes; nothing for an empty mask."""
    if np.count_nonzero(mask_xyz) < FEWEST_VOXELS:
        return {}
    values = {Quantity("size", f"{part} mL"): np.count_nonzero(mask_xyz) * grid.voxel_volume_ml}
    box = bounding_box(mask_xyz)
    lengths = box.shape if box else (0, 0, 0)
    for axis, length, step in zip("xyz", lengths, grid.spacing, strict=True):
        values[Quantity("size", f"{part} {axis} mm")] = length * step
    return values


def _brain(
    image_cxyz: np.ndarray, labels_xyz: np.ndarray, brain_xyz: np.ndarray, grid: Grid, challenge: Challenge
) -> _Scan | None:
    """The brain's box, with healthy white and grey matter; None without a brain."""
    box = bounding_box(brain_xyz)
    if box is None:
        return None
    image_cxyz, labels_xyz, brain_xyz = map(box.apply, (image_cxyz, labels_xyz, brain_xyz))
    deep_xyz = _distance(np.pad(brain_xyz, 1), grid)[1:-1, 1:-1, 1:-1] > RIM_MM
    if labels_xyz.any():
        deep_xyz &= _distance(labels_xyz == 0, grid) > GAP_MM
    white_xyz, grey_xyz = white_and_grey(image_cxyz, deep_xyz, grid.spacing, challenge.channel_names)
    parts = {"grey matter": grey_xyz} | _labels(labels_xyz, challenge)
    zero_c = np.zeros(len(image_cxyz), np.float32)
    return _Scan(image_cxyz, grid.spacing, brain_xyz, white_xyz, zero_c, parts)


def _heart(image_cxyz: np.ndarray, labels_xyz: np.ndarray, grid: Grid, challenge: Challenge) -> _Scan | None:
    """The box around the blood of the left atrium, with shells around it; None if no blood is labelled.

    Zero is the 1st percentile of the box, air or lung: public scans are often standardized, with any offset.
    """
    blood_xyz = (labels_xyz > 0) & (labels_xyz == blood_value(challenge))
    x, y, z = (MARGIN_MM / step for step in grid.spacing)
    box = bounding_box(blood_xyz, (x, y, z))
    if box is None:
        return None
    image_cxyz, labels_xyz, blood_xyz = map(box.apply, (image_cxyz, labels_xyz, blood_xyz))
    away_xyz = _distance(~blood_xyz, grid)
    parts = {
        f"{low:g} to {high:g} mm from blood": (away_xyz > low) & (away_xyz <= high) for low, high in SHELLS_MM
    }
    parts |= {OUTSIDE: ~blood_xyz} | _labels(labels_xyz, challenge)
    parts |= {part: blood_xyz for part, mask_xyz in parts.items() if (mask_xyz == blood_xyz).all()}
    zero_c = np.percentile(image_cxyz, 1, axis=(1, 2, 3)).astype(np.float32)
    return _Scan(image_cxyz, grid.spacing, np.ones_like(blood_xyz), blood_xyz, zero_c, parts)


def _distance(mask_xyz: np.ndarray, grid: Grid) -> np.ndarray:
    """Distance in mm of each voxel of a mask to the nearest one outside."""
    return np.asarray(ndimage.distance_transform_edt(mask_xyz, sampling=grid.spacing))


def _labels(labels_xyz: np.ndarray, challenge: Challenge) -> dict[str, np.ndarray]:
    return {label: labels_xyz == value for label, value in challenge.labels.items() if value}


def _brightness(scan: _Scan, channel: str, image_xyz: np.ndarray) -> Values:
    """Ratios to the reference, z-scores in the body, and noise and texture of the reference."""
    reference = image_xyz[scan.reference_xyz]
    level = float(np.median(reference)) if len(reference) >= FEWEST_VOXELS else 0.0
    if level <= 0:
        return {}
    body = image_xyz[scan.body_xyz]
    mean, deviation = float(body.mean(dtype=np.float64)), float(body.std(dtype=np.float64))
    values: Values = {}
    for part, mask_xyz in scan.parts.items():
        within = image_xyz[mask_xyz]
        if len(within) < FEWEST_VOXELS:
            continue
        median = float(np.median(within))
        if mask_xyz is not scan.reference_xyz:
            values[Quantity("contrast", part, channel)] = median / level
        if deviation:
            values[Quantity("z-score", part, channel)] = (median - mean) / deviation
        if part == OUTSIDE:
            bright = np.count_nonzero(within > BRIGHT * level) / len(within)
            values[Quantity("contrast", f"{OUTSIDE}, share above {BRIGHT:g}", channel)] = bright
    return values | _noise(scan, channel, image_xyz / level)


def _noise(scan: _Scan, channel: str, image_xyz: np.ndarray) -> Values:
    """Deviations of the reference: finer than NOISE_MM, and from there to TEXTURE_MM."""
    mask_xyz = scan.reference_xyz
    fine_xyz, wide_xyz = (_smooth(image_xyz, mask_xyz, scan.spacing, mm) for mm in (NOISE_MM, TEXTURE_MM))
    return {
        Quantity("noise", f"finer than {NOISE_MM:g} mm", channel): _deviation(image_xyz[mask_xyz] - fine_xyz),
        Quantity("noise", f"{NOISE_MM:g} to {TEXTURE_MM:g} mm", channel): _deviation(fine_xyz - wide_xyz),
    }


def _deviation(values: np.ndarray) -> float:
    """The deviation by the median of the absolute deviations, which vessels at the rim don't change."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _smooth(
    image_xyz: np.ndarray, mask_xyz: np.ndarray, spacing: tuple[float, float, float], mm: float
) -> np.ndarray:
    """The voxels of a mask (N), each averaged over its neighbours in the mask."""
    sigmas = [mm / step for step in spacing]
    weights_xyz = mask_xyz.astype(np.float32)
    total_xyz, weight_xyz = (
        ndimage.gaussian_filter(array_xyz, sigmas, mode="constant", truncate=3)
        for array_xyz in (image_xyz * weights_xyz, weights_xyz)
    )
    return total_xyz[mask_xyz] / weight_xyz[mask_xyz]
