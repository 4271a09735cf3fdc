import math

import nibabel as nib
import numpy as np
import pytest
import torch

from segcube.core import Case
from segcube.spec.challenges import load_challenge
from segcube.training.plan import make_plan
from segcube.training.recipes import load_recipe
from segcube.training.validation import ValidationCase, confusion, count_regions, validator

from .plan.make import fingerprint_of

CHALLENGE = load_challenge("mbas2024")
SHAPE = (40, 36, 24)


class Bright(torch.nn.Module):
    """Voxels above 0 are the first label, all others background."""

    def forward(self, image_bcxyz):
        bright = (image_bcxyz[:, :1] > 0).float() * 10 - 5
        others = torch.full_like(bright, -20).repeat(1, len(CHALLENGE.labels) - 2, 1, 1, 1)
        return torch.cat([-bright, bright, others], dim=1)


@pytest.fixture(scope="module")
def plan():
    recipe = load_recipe("fast", {"planning": {"rules": "fixed", "patch": [32, 32, 16], "batch": 1}})
    fingerprint = fingerprint_of(CHALLENGE, shape=SHAPE, cropped_shape=SHAPE, orientation="RAS")
    return make_plan(fingerprint, CHALLENGE, recipe)


def write_case(folder, name, box):
    """A bright box on a dark ground; the reference is that box, as the first label."""
    image_xyz = np.full(SHAPE, 10, np.int16)
    labels_xyz = np.zeros(SHAPE, np.uint8)
    image_xyz[box], labels_xyz[box] = 1000, 1
    files = folder / f"{name}_image.nii.gz", folder / f"{name}_label.nii.gz"
    for array, file in zip((image_xyz, labels_xyz), files, strict=True):
        nib.save(nib.Nifti1Image(array, np.eye(4)), file)
    return ValidationCase(Case(name, {"lge": files[0]}, "lge"), files[1])


def test_whole_cases_are_predicted_and_scored_by_region(plan, tmp_path):
    boxes = [np.s_[5:15, 5:15, 5:15], np.s_[20:36, 8:20, 2:20]]
    cases = [write_case(tmp_path, f"case{index}", box) for index, box in enumerate(boxes)]
    result = validator(plan, CHALLENGE, cases, "cpu")(Bright().eval(), 7)
    first = CHALLENGE.scored[0]
    assert result.record["mean"][first] > 0.99
    assert result.record["recall"]["any"] > 0.99
    # The other regions are in neither map
    assert all(value == 1 for region, value in result.record["mean"].items() if region != first)
    assert set(result.record["challenge_metrics"]) == {"case0", "case1"}
    assert not any("same" in warning for warning in result.warnings)


def test_constant_maps_and_labels_never_predicted_are_reported(plan, tmp_path):
    cases = [write_case(tmp_path, f"case{n}", np.s_[5:15, 5:15, 5:15]) for n in range(2)]

    class Background(Bright):
        def forward(self, image_bcxyz):
            return super().forward(image_bcxyz * 0 - 1)

    result = validator(plan, CHALLENGE, cases, "cpu")(Background().eval(), 7)
    label = next(name for name, value in CHALLENGE.labels.items() if value == 1)
    assert result.warnings == (
        f"{label} is predicted in no validation case",
        "the label maps of all validation cases are the same",
    )
    assert result.record["recall"]["any"] == 0


def test_counts_and_confusion_by_hand():
    reference = np.array([0, 1, 1, 2, 2, 2])
    found = np.array([0, 1, 2, 2, 2, 0])
    table = confusion(found, reference, CHALLENGE)
    assert table[:3, :3].tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 2]]
    counts = count_regions(found, reference, CHALLENGE)
    assert (counts["any"].reference, counts["any"].found, counts["any"].both) == (5, 4, 4)
    empty = count_regions(found * 0, reference * 0, CHALLENGE)["any"]
    assert empty.dice == 1
    assert math.isnan(empty.recall)
