"""Transforms of BraTS-UGRIP's recipes against MONAI's own."""

from __future__ import annotations

import monai.transforms as monai
import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

from segcube.training.augment import intensity
from segcube.training.augment.affine import scale_shear_and_rotate
from segcube.training.augment.cut import Patch, cut_patch
from segcube.training.augment.draws import draw_for_samples, sample_rngs
from segcube.training.augment.grid import PatchGrid
from segcube.training.augment.spatial import SpatialDraw, draw_spatial
from segcube.training.cache import CaseTensors
from segcube.training.keys import StepKey
from segcube.training.recipes import Spatial, load_recipe

from .conftest import random_case

TOLERANCE = 1e-4
DRAWS = 1500
ANGLES, FACTORS, SHEARS = (0.2, -0.25, 0.1), (1.15, 0.85, 1.05), (0.1, -0.2, 0.05, 0.15, -0.1, 0.2)


def image_of(case: CaseTensors) -> torch.Tensor:
    return case.image_cxyz.float()


def test_an_affine_patch_is_monais():
    case = random_case((18, 16, 20))
    affine = monai.Affine(
        rotate_params=ANGLES,
        scale_params=FACTORS,
        shear_params=SHEARS,
        padding_mode="border",
        image_only=True,
    )
    labels = affine(case.labels_xyz[None].float(), mode="nearest")[0]
    grid = PatchGrid(
        case.shape,
        tuple((size - 1) / 2 for size in case.shape),
        SpatialDraw(scale_shear_and_rotate(ANGLES, FACTORS, SHEARS)),
    )
    patch = Patch(torch.empty((2, *case.shape)), torch.empty(case.shape, dtype=torch.uint8))
    cut_patch(case, grid, Spatial(border="nearest", labels="nearest"), None, patch)
    expected = affine(image_of(case), mode="bilinear").as_tensor()
    assert (patch.image_cxyz - expected).abs().max() < TOLERANCE
    assert (patch.labels_xyz != labels.as_tensor()).sum() <= 2


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda image: intensity.multiply(image, np.array([1.08])), monai.ScaleIntensity(None, None, 0.08)),
        (lambda image: intensity.shift(image, np.array([-0.07])), monai.ShiftIntensity(-0.07)),
        (lambda image: intensity.adjust_contrast(image, np.array([0.6])), monai.AdjustContrast(0.6)),
        (lambda image: intensity.adjust_contrast(image, np.array([1.9])), monai.AdjustContrast(1.9)),
    ],
)
def test_intensities_are_monais(case, ours, theirs):
    image = image_of(case)[None]
    ours(image)
    assert (image[0] - theirs(image_of(case))).abs().max() < TOLERANCE


def test_matrices_are_drawn_as_monai_draws_them():
    """By recipe mednext-aug3, the distribution of each entry of the matrix."""
    spatial = load_recipe("mednext-aug3").augmentation.spatial
    affine = spatial.affine
    theirs = monai.RandAffineGrid(
        rotate_range=(np.deg2rad(affine.degrees),) * 3,
        shear_range=(affine.shear,) * 6,
        scale_range=(affine.scaling,) * 3,
    ).set_random_state(0)
    expected = []
    for _ in range(DRAWS):
        theirs((2, 2, 2))
        expected.append(np.asarray(theirs.get_transformation_matrix())[:3, :3])
    found = np.array(
        [
            draw_spatial(spatial, (8, 8, 8), (), StepKey(0, step).generator("spatial")).matrix
            for step in range(DRAWS)
        ]
    )
    for row, column in np.ndindex(3, 3):
        assert ks_2samp(found[:, row, column], np.array(expected)[:, row, column]).pvalue > 1e-3


@pytest.mark.parametrize(
    ("theirs", "name", "p", "ends"),
    [
        (monai.RandScaleIntensity(0.15, prob=0.7), "factor", 0.7, (-0.15, 0.15)),
        (monai.RandShiftIntensity(0.1, prob=1), "_offset", 1, (-0.1, 0.1)),
        (monai.RandAdjustContrast(0.7, (0.5, 2)), "gamma_value", 0.7, (0.5, 2)),
    ],
)
def test_values_are_drawn_as_monai_draws_them(theirs, name, p, ends):
    theirs.set_random_state(1)
    expected = []
    for _ in range(DRAWS):
        theirs.randomize()
        expected.append(getattr(theirs, name) if theirs._do_transform else np.nan)
    found = draw_for_samples(sample_rngs(StepKey(0, 0), name, range(DRAWS)), p, ends)
    chosen = [values[~np.isnan(values)] for values in (found, np.array(expected))]
    assert ks_2samp(*chosen).pvalue > 1e-3
    assert abs(len(chosen[0]) - len(chosen[1])) < 4 * np.sqrt(2 * DRAWS * p * (1 - p)) + 1
