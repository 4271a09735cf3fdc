import pytest
import yaml

from segcube.core import EnvironmentFault, UsageError
from segcube.training.plan import Plan, make_plan, read_plan, write_plan
from segcube.training.recipes import load_recipe

from .make import fingerprint_of


@pytest.fixture
def plan(glioma) -> Plan:
    return make_plan(fingerprint_of(glioma), glioma, load_recipe("nnunet"))


@pytest.mark.parametrize("name", ["nnunet", "mednext-b-k3"])
def test_a_plan_is_read_as_it_was_written(name, glioma, tmp_path):
    plan = make_plan(fingerprint_of(glioma), glioma, load_recipe(name))
    write_plan(plan, tmp_path / "plan.yaml")
    assert read_plan(tmp_path / "plan.yaml") == plan


def test_a_written_plan_leaves_nothing_to_defaults(plan, tmp_path):
    write_plan(plan, tmp_path / "plan.yaml")
    content = yaml.safe_load((tmp_path / "plan.yaml").read_text())
    assert set(content) == set(Plan.model_fields)
    assert content["recipe"]["optimizer"]["eps"] == 1e-8
    assert content["arguments"]["dropout_op"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"patch": [96, 128, 128]},
            r"plan\.yaml: patch \[96, 128, 128\]; expected branch\.window\.size, \[128, 128, 128\], which",
        ),
        ({"accumulate": 3}, "accumulate 3; expected at most batch, 2"),
        ({"accumulate": 2, "batch_dice": True}, "accumulate 2, though the loss"),
        ({"network": "MedNeXtV1"}, "network MedNeXtV1: key 'in_channels' is missing"),
        ({"size": 3}, "unknown key 'size'; valid keys: format, challenge"),
    ],
)
def test_values_that_do_not_fit_are_refused(changes, message, plan, tmp_path):
    file = tmp_path / "plan.yaml"
    write_plan(plan, file)
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | changes))
    with pytest.raises(EnvironmentFault, match=message):
        read_plan(file)


@pytest.mark.parametrize("weights", [{"WTT": 1}, {"background": 1, "ET": 1}, {"ET": 0}, {}])
@pytest.mark.parametrize(("kind", "names"), [("labels", "NCR, ED, ET"), ("regions", "WT, TC, ET")])
def test_class_weights_that_no_output_has_are_refused(weights, kind, names, glioma):
    overrides = {"sampling": {"class_weights": weights}, "preprocessing": {"outputs": kind}}
    with pytest.raises(UsageError, match=rf"class_weights has .*expected weights of {names}, one of them"):
        make_plan(fingerprint_of(glioma), glioma, load_recipe("nnunet", overrides))


@pytest.mark.parametrize(("kind", "name"), [("labels", "NCR"), ("regions", "WT")])
def test_class_weights_of_some_outputs_are_accepted(kind, name, glioma):
    overrides = {"sampling": {"class_weights": {name: 1}}, "preprocessing": {"outputs": kind}}
    recipe = load_recipe("nnunet", overrides)
    assert make_plan(fingerprint_of(glioma), glioma, recipe).recipe == recipe


def test_a_batch_without_a_dice_may_be_divided(plan, tmp_path):
    recipe = load_recipe("nnunet", {"loss": {"dice": "none"}})
    divided = plan.model_copy(update={"recipe": recipe, "batch_dice": True, "accumulate": 2})
    write_plan(divided, tmp_path / "plan.yaml")
    assert read_plan(tmp_path / "plan.yaml") == divided


def test_a_patch_of_one_voxel_at_the_lowest_resolution_is_refused(glioma):
    recipe = load_recipe("mednext-s-k3", {"planning": {"patch": [16, 16, 16]}})
    with pytest.raises(UsageError, match="single voxel at the network's lowest resolution"):
        make_plan(fingerprint_of(glioma), glioma, recipe)


def test_a_network_of_other_channels_is_refused(plan, tmp_path):
    file = tmp_path / "plan.yaml"
    changed = plan.model_copy(update={"arguments": plan.arguments | {"input_channels": 5}})
    write_plan(changed, file)
    with pytest.raises(EnvironmentFault, match="5 input and 3 output channels; expected 4 and 3"):
        read_plan(file)
