import numpy as np
import pytest
import torch

from segcube.training.augment.batch import dilate_masks
from segcube.transforms import dilate


@pytest.mark.parametrize("radius", [0, 1, 2, 3])
def test_a_mask_is_dilated_as_inference_dilates_it(radius):
    rng = np.random.default_rng(radius)
    masks_bxyz = rng.random((2, 11, 12, 13)) < 0.01
    found = dilate_masks(torch.from_numpy(masks_bxyz.astype(np.uint8)), radius)
    for mask_xyz, found_xyz in zip(masks_bxyz, found, strict=True):
        np.testing.assert_array_equal(found_xyz.numpy(), dilate(mask_xyz, (radius,) * 3))
