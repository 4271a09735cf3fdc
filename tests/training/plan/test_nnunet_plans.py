import json
from copy import deepcopy
from pathlib import Path

import pytest

from segcube.core import EnvironmentFault, UsageError
from segcube.importers import ImportOptions, read_target
from segcube.training.plan import Plan, import_plans, make_plan
from segcube.training.recipes import Recipe, load_recipe

from .make import fingerprint_of

SPLINE = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
FULL = {
    "batch_size": 3,
    "patch_size": [20, 64, 32],
    "median_image_size_in_voxels": [44.0, 90.5, 80.0],
    "spacing": [2.5, 0.6, 0.7],
    "batch_dice": True,
    "normalization_schemes": ["ZScoreNormalization"],
    "use_mask_for_norm": [True],
    "resampling_fn_data": "resample_data_or_seg_to_shape",
    "resampling_fn_data_kwargs": SPLINE,
    "resampling_fn_seg": "resample_data_or_seg_to_shape",
    "resampling_fn_seg_kwargs": SPLINE | {"is_seg": True, "order": 1},
    "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
    "resampling_fn_probabilities_kwargs": SPLINE | {"order": 1},
    "architecture": {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": [4, 8, 8],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
            "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
            "n_conv_per_stage": [2, 2, 2],
            "n_conv_per_stage_decoder": [2, 2],
        },
    },
}
LOW = FULL | {"spacing": [2.5, 1.2, 1.4], "patch_size": [20, 32, 32], "batch_dice": False}
CASCADE = {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"}
PLANS = {
    "dataset_name": "Dataset101_Atria",
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [1, 0, 2],
    "configurations": {"3d_fullres": FULL, "3d_lowres": LOW, "3d_cascade_fullres": CASCADE},
}
DATASET = {
    "channel_names": {"0": "LGE"},
    "labels": {"background": 0, "left atrium": 3, "wall": 1, "right atrium": 2},
}


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("nnunet", {"mirrors": ["x", "z"], "overlap": 0.25})


def imported(
    folder: Path, recipe: Recipe, plans: dict | None = None, configuration: str = "3d_fullres"
) -> Plan:
    (folder / "nnUNetPlans.json").write_text(json.dumps(plans or PLANS))
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    options = ImportOptions(target=read_target("mbas2024"), name="atria")
    return import_plans(folder / "nnUNetPlans.json", options, recipe, configuration)


def test_patch_batch_and_network_are_those_of_the_plans(tmp_path, recipe):
    plan = imported(tmp_path, recipe)
    assert (plan.patch, plan.batch, plan.batch_dice) == ((20, 64, 32), 3, True)
    assert (plan.median_shape, plan.spacing) == ((44, 90.5, 80), (2.5, 0.6, 0.7))
    assert (plan.network, plan.arguments["features_per_stage"]) == ("PlainConvUNet", [4, 8, 8])
    assert plan.arguments["deep_supervision"] is True
    assert plan.origin == "3d_fullres of nnUNetPlans.json, Dataset101_Atria"


def test_the_branch_is_the_importers_with_mirrors_and_overlap_of_the_recipe(tmp_path, recipe):
    branch = imported(tmp_path, recipe).branch
    assert (branch.axes, branch.spacing, branch.orientation) == ("yzx", (2.5, 0.6, 0.7), "native")
    assert branch.outputs.names == ("background", "wall", "RA", "LA")
    assert (branch.flips, branch.window.overlap) == (("x", "z"), 0.25)
    assert (branch.normalize_of(0).mask, branch.members[0].file) == ("foreground", "fold_0.safetensors")


def test_the_first_stage_of_a_cascade_is_kept(tmp_path, recipe):
    plan = imported(tmp_path, recipe)
    assert plan.lowres is not None
    assert (plan.lowres.patch, plan.lowres.spacing) == ((20, 32, 32), (2.5, 1.2, 1.4))
    alone = imported(tmp_path, recipe, configuration="3d_lowres")
    assert (alone.patch, alone.lowres) == ((20, 32, 32), None)


def test_the_second_stage_of_a_cascade_is_refused(tmp_path, recipe):
    with pytest.raises(UsageError, match="3d_cascade_fullres follows 3d_lowres"):
        imported(tmp_path, recipe, configuration="3d_cascade_fullres")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("patch_size", [20, 64, 30], r"nnUNetPlans\.json: .*expected multiples of \[2, 4, 4\]"),
        ("batch_size", None, r"3d_fullres is incomplete; expected batch_size"),
        ("batch_size", 0, "3d_fullres: 'batch' is 0"),
        ("spacing", [0, 1, 1], "'spacing"),
    ],
)
def test_invalid_plans_are_refused(key, value, message, tmp_path, recipe):
    plans = deepcopy(PLANS)
    plans["configurations"]["3d_fullres"][key] = value
    with pytest.raises(EnvironmentFault, match=message):
        imported(tmp_path, recipe, plans)


def test_loss_of_the_recipe_decides_on_batch_dice_and_supervision(tmp_path):
    recipe = load_recipe("nnunet", {"loss": {"batch_dice": False, "supervision": "none"}})
    plan = imported(tmp_path, recipe)
    assert (plan.batch_dice, plan.arguments["deep_supervision"]) == (False, False)


def test_imported_and_planned_arguments_have_the_same_keys(tmp_path, recipe, glioma):
    planned = make_plan(fingerprint_of(glioma), glioma, recipe)
    assert list(imported(tmp_path, recipe).arguments) == list(planned.arguments)
