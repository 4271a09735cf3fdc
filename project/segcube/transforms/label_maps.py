"""Resample label maps as nnU-Net does for the stages of its cascades."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import array_api_compat

from segcube.core import Array, array_namespace
from segcube.transforms.resample import Resampler

EQUAL = 1e-9
"""Shares (float64) that differ by less are equal."""
TORCH_SCALE = 1000
"""The factor by which nnU-Net's resample_torch scales shares before it rounds them to half precision."""

Ties = Literal["nearest", "lowest"]


def resample_labels(labels_xyz: Array, resampler: Resampler, ties: Ties = "nearest") -> Array:
    """Resample a label map: (*shape_in) to (*shape_out), of its own integer type.

    Order 0 takes the nearest label. Otherwise each label's mask is resampled and the label with the largest
    share is taken; of equal shares that of the nearest voxel (batchgenerators' resize_segmentation), or the
    lowest one, in half precision (nnU-Net's resample_torch). A coarse axis is resampled after that: a label
    where its share is above one half, 0 where none is (nnU-Net's resample_data_or_seg).
    """
    coarse = resampler.coarse_axis
    if coarse is None:
        return _across(labels_xyz, resampler, ties)
    x, y, z = (
        resampler.shape_in[axis] if axis == coarse else size for axis, size in enumerate(resampler.shape_out)
    )
    labels_xyz = _across(labels_xyz, replace(resampler, shape_out=(x, y, z)), ties)
    return _along(labels_xyz, replace(resampler, shape_in=(x, y, z), order=resampler.coarse_order))


def _across(labels_xyz: Array, resampler: Resampler, ties: Ties) -> Array:
    xp = array_namespace(labels_xyz)
    nearest_xyz = replace(resampler, order=0, coarse_order=0).apply(labels_xyz[None])[0]
    if resampler.order == 0 or resampler.shape_in == resampler.shape_out:
        return nearest_xyz
    lowest, *others = xp.unique_values(labels_xyz)
    result_xyz = xp.full_like(nearest_xyz, int(lowest))
    best_xyz = own_xyz = _share(labels_xyz == lowest, resampler, ties)
    for label in others:
        share_xyz = _share(labels_xyz == label, resampler, ties)
        result_xyz = xp.where(share_xyz > best_xyz, label, result_xyz)
        best_xyz = xp.maximum(best_xyz, share_xyz)
        own_xyz = xp.where(nearest_xyz == label, share_xyz, own_xyz)
    if ties == "lowest":
        return result_xyz
    return xp.where(own_xyz >= best_xyz - EQUAL, nearest_xyz, result_xyz)


def _share(mask_xyz: Array, resampler: Resampler, ties: Ties) -> Array:
    xp = array_namespace(mask_xyz)
    share_xyz = resampler.apply(xp.astype(mask_xyz, xp.float64)[None])[0]
    if ties == "nearest":
        return share_xyz
    return xp.astype(xp.astype(share_xyz * TORCH_SCALE, xp.float32), xp.float16)


def _along(labels_xyz: Array, resampler: Resampler) -> Array:
    xp = array_namespace(labels_xyz)
    if resampler.order == 0 or resampler.shape_in == resampler.shape_out:
        return resampler.apply(labels_xyz[None])[0]
    device = array_api_compat.device(labels_xyz)
    result_xyz = xp.zeros(resampler.shape_out, dtype=labels_xyz.dtype, device=device)
    for label in xp.unique_values(labels_xyz):
        share_xyz = resampler.apply(xp.astype(labels_xyz == label, xp.float64)[None])[0]
        result_xyz = xp.where(share_xyz > 0.5 + EQUAL, label, result_xyz)
    return result_xyz
