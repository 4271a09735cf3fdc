"""Healthy tissues of a brain scan, found by their brightness alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from segcube.core import Vector

WHITE_MINUS_GREY = {"t1n": 1.0, "t1c": 0.7, "t2w": -1.0, "t2f": -0.3}
"""How much each channel counts, and whether white matter is brighter or darker than grey matter in it."""
BIAS_MM = 25.0
BIAS_STEP = 4
"""The field of the coils is estimated on every 4th voxel."""
SAMPLE = 20_000
ROUNDS = 30
FLUID, GREY, WHITE = 0, 1, 2


def white_and_grey(
    image_cxyz: np.ndarray, within_xyz: np.ndarray, spacing: Vector, channels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Masks of white and grey matter among the healthy voxels `within_xyz`, by 3 clusters of brightness.

    The third cluster is fluid. Both masks are empty where `within_xyz` is, and in scans without any of the
    channels t1n, t1c, t2w, t2f. Deterministic: Lloyd's algorithm from fixed quantiles.
    """
    white_xyz, grey_xyz = np.zeros_like(within_xyz), np.zeros_like(within_xyz)
    chosen = [index for index, channel in enumerate(channels) if channel in WHITE_MINUS_GREY]
    if not chosen or not within_xyz.any():
        return white_xyz, grey_xyz
    weights_c = np.array([WHITE_MINUS_GREY[channels[index]] for index in chosen])
    flat = [_flattened(image_cxyz[index], within_xyz, spacing) for index in chosen]
    voxels_nc = np.stack(flat, axis=1)
    low_c, high_c = np.percentile(voxels_nc, (5, 95), axis=0)
    voxels_nc = np.clip((voxels_nc - low_c) / np.maximum(high_c - low_c, 1e-6), -0.5, 1.5)
    cluster_n = _clusters(voxels_nc * np.abs(weights_c), voxels_nc @ weights_c)
    white_xyz[within_xyz], grey_xyz[within_xyz] = cluster_n == WHITE, cluster_n == GREY
    return white_xyz, grey_xyz


def _flattened(image_xyz: np.ndarray, within_xyz: np.ndarray, spacing: Vector) -> np.ndarray:
    """The healthy voxels (N) divided by their wide average, which removes the field of the coils."""
    thin = (slice(None, None, BIAS_STEP),) * 3
    sigmas = [BIAS_MM / step / BIAS_STEP for step in spacing]
    weights_xyz = within_xyz[thin].astype(np.float32)
    total_xyz, weight_xyz = (
        ndimage.gaussian_filter(array_xyz, sigmas, mode="constant")
        for array_xyz in (image_xyz[thin] * weights_xyz, weights_xyz)
    )
    bias_xyz = total_xyz / np.maximum(weight_xyz, 1e-6)
    nearest = np.argwhere(within_xyz).T // BIAS_STEP
    return image_xyz[within_xyz] / np.maximum(bias_xyz[tuple(nearest)], 1e-6)


def _clusters(voxels_nc: np.ndarray, score_n: np.ndarray) -> np.ndarray:
    """The cluster of each voxel: FLUID, GREY or WHITE, in the order of the score."""
    step = max(len(voxels_nc) // SAMPLE, 1)
    sample_nc, sample_n = voxels_nc[::step], score_n[::step]
    cluster_n = np.searchsorted(np.percentile(sample_n, (10, 50)), sample_n)
    centres_kc = np.zeros((3, voxels_nc.shape[1]))
    for _ in range(ROUNDS):
        for cluster in (FLUID, GREY, WHITE):
            if (cluster_n == cluster).any():
                centres_kc[cluster] = sample_nc[cluster_n == cluster].mean(axis=0)
        cluster_n = _nearest(sample_nc, centres_kc)
    return _nearest(voxels_nc, centres_kc)


def _nearest(voxels_nc: np.ndarray, centres_kc: np.ndarray) -> np.ndarray:
    distances_kn = np.stack([((voxels_nc - centre_c) ** 2).sum(axis=1) for centre_c in centres_kc])
    return distances_kn.argmin(axis=0)
