import math

import pytest

from segcube.core import UsageError
from segcube.networks import build_network
from segcube.spec.challenges import Challenge, load_challenge
from segcube.training.plan import Fingerprint, make_plan
from segcube.training.recipes import load_recipe, recipe_names

from .make import INTENSITIES, fingerprint_of

SMALL = {"shape": (40, 40, 40), "cropped_shape": (40, 40, 40)}


@pytest.fixture
def atria() -> Challenge:
    return load_challenge("mbas2024")


@pytest.fixture
def atria_fingerprint(atria) -> Fingerprint:
    shape = (640, 640, 44)
    return fingerprint_of(atria, 70, shape=shape, spacing=(0.625, 0.625, 2.5), cropped_shape=shape)


@pytest.mark.parametrize("name", [name for name in recipe_names() if not name.startswith("mbas-")])
def test_every_recipe_plans_brats(name, glioma):
    plan = make_plan(fingerprint_of(glioma), glioma, load_recipe(name))
    assert plan.branch.window.size == plan.patch
    assert plan.origin == f"recipe {name}, for 50 cases"


PATCHES = {"p16": (16, 256, 256), "p32": (32, 256, 256), "stage2": (20, 256, 256)}
"""Of recipes of MBAS with these words in their names; all others have that of the first stage."""


OF_MBAS = [name for name in recipe_names() if name.startswith("mbas-") and "starter" not in name]


@pytest.mark.parametrize(
    ("name", "patch", "batch"),
    [("mbas-starter-heart", (24, 96, 96), 2), ("mbas-starter-atria", (32, 112, 112), 1)],
)
def test_starters_of_atria_plan_them(name, patch, batch, atria_fingerprint, atria):
    plan = make_plan(atria_fingerprint, atria, load_recipe(name))
    assert (plan.branch.axes, plan.patch, plan.batch) == ("zyx", patch, batch)


@pytest.mark.parametrize("name", OF_MBAS)
def test_recipes_of_mbas_plan_its_atria(name, atria_fingerprint, atria):
    plan = make_plan(atria_fingerprint, atria, load_recipe(name))
    patch = next((patch for word, patch in PATCHES.items() if word in name), (28, 256, 224))
    assert (plan.branch.axes, plan.patch, plan.batch) == ("zyx", patch, 2)
    assert len(plan.branch.outputs.names) == (4 if name == "mbas-stage2" else 3)


def test_nnunets_plan_of_brats(glioma):
    plan = make_plan(fingerprint_of(glioma, 1251), glioma, load_recipe("nnunet"))
    assert (plan.branch.axes, plan.patch, plan.batch, plan.batch_dice) == ("zyx", (128, 128, 128), 2, False)
    assert plan.arguments["features_per_stage"] == [32, 64, 128, 256, 320, 320]
    assert plan.median_shape == (140, 171, 137)
    assert plan.lowres is None


def test_a_patch_of_less_than_a_quarter_adds_a_low_resolution(atria, atria_fingerprint):
    # Both patches are those that the MBAS winner published for ResEnc M
    plan = make_plan(atria_fingerprint, atria, load_recipe("resenc-m"))
    assert (plan.patch, plan.spacing, plan.batch_dice) == ((20, 256, 256), (2.5, 0.625, 0.625), True)
    assert plan.lowres is not None
    assert plan.lowres.patch == (28, 256, 224)
    # Steps of 3 %, of the finer axes as long as they are more than twice as fine
    assert plan.lowres.spacing == (2.5, *(pytest.approx(0.625 * 1.03**18),) * 2)


def test_low_resolution_may_be_the_plan(atria, atria_fingerprint):
    recipe = load_recipe("resenc-m", {"planning": {"resolution": "low"}})
    low = make_plan(atria_fingerprint, atria, load_recipe("resenc-m")).lowres
    plan = make_plan(atria_fingerprint, atria, recipe)
    assert low is not None
    assert (plan.patch, plan.branch.spacing, plan.arguments) == (low.patch, low.spacing, low.arguments)
    assert (plan.lowres, plan.batch_dice) == (None, False)


def test_a_batch_holds_a_twentieth_of_the_data_set_at_most(glioma):
    # 64,000 voxels a case; 64 cases of which a twentieth are 3.2 cases, or patches
    plan = make_plan(fingerprint_of(glioma, 64, **SMALL), glioma, load_recipe("nnunet"))
    assert (plan.patch, plan.batch) == ((40, 40, 40), 3)


def test_overlapping_regions_are_outputs(glioma, atria, atria_fingerprint):
    regions = make_plan(fingerprint_of(glioma), glioma, load_recipe("nnunet")).branch.outputs
    labels = make_plan(atria_fingerprint, atria, load_recipe("nnunet")).branch.outputs
    assert (regions.kind, regions.names) == ("regions", ("WT", "TC", "ET"))
    assert (labels.kind, labels.names) == ("labels", ("background", "wall", "RA", "LA"))


def test_a_recipe_may_ask_for_labels(glioma):
    recipe = load_recipe("nnunet", {"preprocessing": {"outputs": "labels"}})
    outputs = make_plan(fingerprint_of(glioma), glioma, recipe).branch.outputs
    assert outputs.names == tuple(sorted(glioma.labels, key=lambda name: glioma.labels[name]))


@pytest.mark.parametrize(
    ("cropped", "mask"),
    [((120, 240, 155), "foreground"), ((180, 240, 155), "none"), ((179, 240, 155), "foreground")],
)
def test_normalization_uses_a_mask_where_cropping_leaves_less_than_three_quarters(cropped, mask, glioma):
    plan = make_plan(fingerprint_of(glioma, cropped_shape=cropped), glioma, load_recipe("nnunet"))
    assert plan.branch.normalize_of(0).mask == mask


def renamed(challenge: Challenge, name: str) -> Challenge:
    """The challenge with another name for its first channel."""
    content = challenge.model_dump(mode="json", by_alias=True)
    old, content["channels"][0]["name"] = content["channels"][0]["name"], name
    content["reference"] = name if content["reference"] == old else content["reference"]
    return Challenge.model_validate(content)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("CT", "ct"),
        ("noNorm", "none"),
        ("rescale_to_0_1", "rescale01"),
        ("RGB_to_0_1", "rgb01"),
        ("T9", "zscore"),
    ],
)
def test_channels_are_normalized_by_their_names(name, scheme, glioma):
    challenge = renamed(glioma, name)
    branch = make_plan(fingerprint_of(challenge), challenge, load_recipe("nnunet")).branch
    assert (branch.normalize_of(0).scheme, branch.normalize_of(1).scheme) == (scheme, "zscore")


def test_ct_takes_its_statistics_from_the_fingerprint(glioma):
    challenge = renamed(glioma, "CT")
    found = make_plan(fingerprint_of(challenge), challenge, load_recipe("nnunet")).branch.normalize_of(0)
    assert (found.bounds, found.mean, found.std) == ((50, 1500), 500, 100)


def test_ct_without_labelled_voxels_is_refused(glioma):
    challenge = renamed(glioma, "CT")
    empty = fingerprint_of(challenge).model_copy(update={"intensities": ()})
    with pytest.raises(UsageError, match="channel CT has no intensities in labelled voxels"):
        make_plan(empty, challenge, load_recipe("nnunet"))


def test_brats_ugrips_branch_is_that_of_its_imported_checkpoints(glioma):
    plan = make_plan(fingerprint_of(glioma), glioma, load_recipe("mednext-b-k3"))
    branch = plan.branch
    assert (branch.axes, branch.spacing, branch.window.plan) == ("xyz", (1, 1, 1), "monai")
    assert (branch.intensity.cast, branch.crop) == ("int16_abs", "nonzero")
    assert (branch.normalize_of(0).scheme, branch.normalize_of(0).mask) == ("zscore", "nonzero")
    assert (plan.patch, plan.batch, plan.batch_dice) == ((128, 160, 112), 2, True)
    assert (plan.arguments["size"], plan.arguments["deep_supervision"]) == ("B", True)


@pytest.mark.parametrize("changes", [{"max": 40000}, {"percentile_99_5": 65.5}])
def test_intensities_that_int16_cannot_hold_are_refused(changes, glioma):
    intensities = (INTENSITIES.model_copy(update=changes),) * 4
    fingerprint = fingerprint_of(glioma).model_copy(update={"intensities": intensities})
    with pytest.raises(UsageError, match=r"casts intensities to int16; channel t1c .*kind: nnunet"):
        make_plan(fingerprint, glioma, load_recipe("mednext-b-k3"))


def test_a_network_without_supervision_has_one_output(glioma):
    recipe = load_recipe("mednext-s-k3", {"loss": {"supervision": "none"}})
    plan = make_plan(fingerprint_of(glioma), glioma, recipe)
    assert plan.arguments["deep_supervision"] is False


def test_arguments_of_the_recipe_replace_those_planned(glioma):
    recipe = load_recipe("nnunet", {"network": {"arguments": {"n_conv_per_stage": 1}}})
    plan = make_plan(fingerprint_of(glioma), glioma, recipe)
    assert plan.arguments["n_conv_per_stage"] == [1] * 6


def test_a_patch_of_the_recipe_sets_the_stages(atria, atria_fingerprint):
    recipe = load_recipe("nnunet", {"planning": {"patch": [20, 256, 256], "batch": 4}})
    plan = make_plan(atria_fingerprint, atria, recipe)
    assert (plan.patch, plan.batch, plan.arguments["n_stages"]) == ((20, 256, 256), 4, 7)


def test_the_planned_network_can_be_built(atria):
    small = fingerprint_of(atria, shape=(32, 32, 8), spacing=(1, 1, 3), cropped_shape=(32, 32, 8))
    plan = make_plan(small, atria, load_recipe("resenc-m", {"planning": {"base_features": 2}}))
    network = build_network(plan.network, plan.arguments)
    # The coarse axis is first, and flat kernels keep to the others
    assert plan.patch == (8, 32, 32)
    assert network.encoder.stem.convs[0].conv.weight.shape == (2, 1, 1, 3, 3)
    assert math.prod(plan.patch) == 8192


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        (
            "nnunet",
            {"planning": {"patch": [100, 96, 96]}},
            r"planning\.patch = \[100, 96, 96\].* \[112, 96, 96\]",
        ),
        ("mednext-b-k3", {"planning": {"patch": [100, 96, 96]}}, r"expected multiples of \[16, 16, 16\]"),
        ("mednext-b-k3", {"planning": {"rules": "nnunet"}}, "rules nnunet for network MedNeXtV1"),
        ("nnunet", {"planning": {"memory_gb": 1e-6}}, "too little for any patch"),
        ("nnunet", {"network": {"arguments": {"depth": 3}}}, "unknown key 'depth'"),
        ("nnunet", {"preprocessing": {"spacing": [50, 50, 50]}}, "cases of 3 x 3 x 3 voxels are too small"),
    ],
)
def test_a_recipe_that_cannot_be_planned_is_refused(name, overrides, message, glioma):
    with pytest.raises(UsageError, match=message):
        make_plan(fingerprint_of(glioma), glioma, load_recipe(name, overrides))


def test_a_fingerprint_of_another_challenge_is_refused(glioma, atria):
    with pytest.raises(UsageError, match="channels lge; expected t1c"):
        make_plan(fingerprint_of(atria), glioma, load_recipe("nnunet"))
