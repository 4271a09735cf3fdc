"""Labels that are streamed plane by plane, against those of a whole accumulator."""

from __future__ import annotations

import numpy as np
import pytest

from segcube.backends.torch_cpu import TorchBackend
from segcube.core import Box, CaseError, Clock
from segcube.inference import Models
from segcube.inference.merge import BranchLabels, BranchOutput
from segcube.inference.pipeline import CaseContext, predict_stage
from segcube.spec.submission import DilationRadius
from segcube.transforms import PreviousMaps, StageInput, label_indices

ATRIA = ["background", "wall", "RA", "LA"]
WHOLE = Box((0, 0, 0), (24, 20, 12))


def branch(*members, **more):
    return {
        "channels": ["lge"],
        "crop": "none",
        "normalize": {"mask": "none"},
        "outputs": {"kind": "labels", "names": ATRIA},
        "window": {"size": [8, 16, 8], "overlap": 0.5},
        "flips": ["y"],
        "members": list(members),
    } | more


def submission(*branches, **more):
    return {
        "challenge": "mbas2024",
        "stages": [{"name": "atria", "merge": "logits", "branches": list(branches)} | more],
    }


def boxed(*slices: slice) -> np.ndarray:
    mask_xyz = np.zeros(WHOLE.shape, dtype=bool)
    mask_xyz[slices] = True
    return mask_xyz


MIDDLE_XYZ = boxed(slice(14, 20), slice(2, 15), slice(3, 9))
INPUTS = {
    "whole": StageInput(WHOLE),
    "gate": StageInput(WHOLE, gate_xyz=MIDDLE_XYZ),
    "gate on the branch": StageInput(
        WHOLE, previous=PreviousMaps(MIDDLE_XYZ[None].astype(np.int16), gate=DilationRadius(radius=1))
    ),
    "crop": StageInput(Box((3, 0, 2), (23, 18, 12))),
}


@pytest.fixture
def both(heart):
    """A submission's only stage, run for its labels alone and for its probabilities."""

    def run(models, stage_input=INPUTS["whole"]):
        stage = models.loaded.submission.stages[0]
        alone, merged = (
            predict_stage(stage, stage_input, CaseContext(heart, models, Clock()), needs)
            for needs in ("labels", "probabilities")
        )
        np.testing.assert_array_equal(label_indices(alone), label_indices(merged))
        assert len(np.unique(label_indices(merged))) > 1
        return alone

    return run


@pytest.mark.parametrize(("name", "axes"), [*((name, "xyz") for name in INPUTS), ("gate", "zyx")])
def test_labels_alone_are_those_of_the_whole_sum(tmp_path, save_unet, models_of, both, name, axes):
    size = [8, 16, 8] if axes == "xyz" else [8, 8, 16]
    own = branch(save_unet(tmp_path, 1, 4), axes=axes, window={"size": size, "overlap": 0.5})
    assert isinstance(both(models_of(submission(own)), INPUTS[name]).branches[0], BranchLabels)


@pytest.mark.parametrize(
    ("merge", "average"),
    [("logits", "logits"), ("probabilities", "logits"), ("probabilities", "probabilities")],
)
def test_labels_of_one_member_are_decided_by_its_sum_however_it_is_merged(
    tmp_path, save_unet, models_of, both, merge, average
):
    window = {"size": [8, 16, 8], "overlap": 0.5, "average": average}
    weight = {"background": 1, "wall": 3, "RA": 2, "LA": 0.5}
    own = branch(save_unet(tmp_path, 1, 4, weight=weight), window=window)
    assert isinstance(both(models_of(submission(own, merge=merge))).branches[0], BranchLabels)


def test_what_takes_more_than_one_sum_of_its_own_planes_is_summed_whole(tmp_path, save_unet, models_of, both):
    first, second = (save_unet(tmp_path, 1, 4, seed) for seed in (0, 1))
    monai = {"size": [8, 16, 8], "overlap": 0.5, "plan": "monai"}
    wholes = {
        "two members": submission(branch(first, second)),
        "two branches": submission(branch(first), branch(second)),
        "another grid": submission(branch(first, spacing=[1.25, 1.25, 1.25])),
        "two members' probabilities": submission(branch(first, second), merge="probabilities"),
        "a pass a mirror": submission(branch(first, window=monai)),
    }
    for content in wholes.values():
        assert all(isinstance(branch, BranchOutput) for branch in both(models_of(content)).branches)


@pytest.mark.parametrize("needs", ["labels", "probabilities"])
def test_an_output_that_is_not_finite_costs_the_case(tmp_path, save_unet, scaled, models_of, heart, needs):
    member = scaled(tmp_path, save_unet(tmp_path, 1, 4), 1e30)
    models = models_of(submission(branch(member)))
    stage, stage_input = models.loaded.submission.stages[0], INPUTS["whole"]
    with pytest.raises(CaseError, match="stage atria: the output of a network is not finite"):
        predict_stage(stage, stage_input, CaseContext(heart, models, Clock()), needs)


@pytest.mark.parametrize("needs", ["labels", "probabilities"])
def test_what_overflows_half_precision_is_run_again_in_full(
    tmp_path, save_unet, scaled, models_of, heart, needs
):
    full = models_of(submission(branch(scaled(tmp_path, save_unet(tmp_path, 1, 4), 1e3))))
    messages: list[str] = []
    half = Models(full.loaded, TorchBackend("cpu", "fp16", "a test"), True, messages.append)
    stage, stage_input = full.loaded.submission.stages[0], INPUTS["whole"]
    expected, found = (
        label_indices(predict_stage(stage, stage_input, CaseContext(heart, models, Clock()), needs))
        for models in (full, half)
    )
    np.testing.assert_array_equal(found, expected)
    assert messages == ["BraTS-GLI-00001-000: fp16 overflowed; repeated in fp32"]
