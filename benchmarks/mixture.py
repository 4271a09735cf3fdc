"""Gaussian mixtures with full covariances, fitted by expectation and maximization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

ROUNDS = 40
RIDGE = 1e-3


@dataclass(frozen=True)
class Mixture:
    """Weights (K), means (K, C) and covariances (K, C, C)."""

    weights_k: np.ndarray
    means_kc: np.ndarray
    covariances_kcc: np.ndarray

    def log_joint(self, voxels_nc: np.ndarray) -> np.ndarray:
        """Logarithm of weight times density (N, K)."""
        columns: list[np.ndarray] = []
        for weight, mean_c, covariance_cc in zip(
            self.weights_k, self.means_kc, self.covariances_kcc, strict=True
        ):
            lower_cc = np.linalg.cholesky(covariance_cc)
            whitened_cn = np.linalg.solve(lower_cc, (voxels_nc - mean_c).T)
            volume = np.log(np.diag(lower_cc)).sum() + 0.5 * len(mean_c) * np.log(2 * np.pi)
            columns.append(np.log(weight) - volume - 0.5 * (whitened_cn**2).sum(axis=0))
        return np.stack(columns, axis=1)

    def log_density(self, voxels_nc: np.ndarray) -> np.ndarray:
        """Logarithm of the density (N)."""
        return logsumexp(self.log_joint(voxels_nc), axis=1)


def fit_mixture(voxels_nc: np.ndarray, components: int, rng: np.random.Generator) -> Mixture:
    """Fit a mixture to voxels (N, C), from random voxels as means."""
    spread_cc = np.cov(voxels_nc.T)
    mixture = Mixture(
        np.full(components, 1 / components),
        rng.permutation(voxels_nc)[:components],
        np.tile(spread_cc / components, (components, 1, 1)),
    )
    for _ in range(ROUNDS):
        joint_nk = mixture.log_joint(voxels_nc)
        shares_nk = np.exp(joint_nk - logsumexp(joint_nk, axis=1, keepdims=True))
        mixture = _maximized(voxels_nc, shares_nk, RIDGE * np.diag(np.diag(spread_cc)))
    return mixture


def _maximized(voxels_nc: np.ndarray, shares_nk: np.ndarray, ridge_cc: np.ndarray) -> Mixture:
    totals_k = shares_nk.sum(axis=0) + 1e-9
    means_kc = shares_nk.T @ voxels_nc / totals_k[:, None]
    covariances: list[np.ndarray] = []
    for share_n, mean_c, total in zip(shares_nk.T, means_kc, totals_k, strict=True):
        away_nc = voxels_nc - mean_c
        covariances.append((away_nc * share_n[:, None]).T @ away_nc / total + ridge_cc)
    return Mixture(totals_k / totals_k.sum(), means_kc, np.stack(covariances))
