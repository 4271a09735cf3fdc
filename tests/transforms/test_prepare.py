"""What a branch sees of an image, by hand."""

import numpy as np
import pytest

from segcube.spec.submission import Branch
from segcube.transforms import prepare


@pytest.mark.parametrize(
    ("crop", "shape"), [("nonzero", (4, 1, 1)), ("positive", (2, 1, 1)), ("none", (6, 2, 2))]
)
def test_the_branch_says_what_is_cropped_to(crop, shape):
    image_xyz = np.zeros((6, 2, 2), dtype=np.float32)
    image_xyz[1:5, 0, 1] = (3, 5, -2, -4)
    branch = Branch.model_validate(
        {
            "channels": ["lge"],
            "crop": crop,
            "normalize": {"scheme": "none", "mask": "none"},
            "outputs": {"kind": "labels", "names": ["background", "LA"]},
            "window": {"size": [8, 8, 8]},
            "members": [{"file": "a.safetensors", "sha256": "0" * 64}],
        }
    )
    assert prepare([image_xyz], np.eye(4), (1.0, 1.0, 1.0), branch).image_cxyz.shape == (1, *shape)
