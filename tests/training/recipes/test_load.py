import pytest
import torch

from segcube.core import UsageError
from segcube.networks import build_network
from segcube.training.plan.architecture import UNET_LAYERS, UNETS
from segcube.training.recipes import load_recipe, parse_overrides, recipe_digest, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_complete_and_names_its_source(name):
    assert load_recipe(name).source


def test_a_recipe_inherits_values_within_mappings(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("inherit: nnunet\nsource: mine\noptimizer: {learning_rate: 0.02}\n")
    recipe = load_recipe(file)
    assert (recipe.name, recipe.optimizer.learning_rate, recipe.optimizer.momentum) == ("mine", 0.02, 0.99)


def test_a_recipe_inherits_from_a_file_beside_it(tmp_path):
    (tmp_path / "base.yaml").write_text("inherit: nnunet\nsource: base\nsteps: 7\n")
    (tmp_path / "child.yaml").write_text("inherit: base.yaml\nsource: child\n")
    assert load_recipe(tmp_path / "child.yaml").steps == 7


def test_lists_are_replaced_and_overrides_come_last():
    recipe = load_recipe("nnunet", {"augmentation": {"intensity": []}, "steps": 3})
    assert (recipe.augmentation.intensity, recipe.steps) == ((), 3)


def test_a_recipe_that_inherits_from_itself_is_refused(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(f"inherit: {file}\nsource: mine\n")
    with pytest.raises(UsageError, match="inherits from itself"):
        load_recipe(file)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"stepz": 1}, r"unknown key 'stepz'; valid keys: name, .*, inherit"),
        ({"optimizer": {"lr": 1}}, r"unknown key 'optimizer\.lr'; valid keys: kind, learning_rate"),
        ({"steps": 0}, "'steps' is 0"),
        ({"augmentation": {"spatial": {"affine": {"p": 1}}}}, "affine holds rotation and scaling"),
        ({"augmentation": {"spatial": {"scaling": {"p": 1, "factor": [2, 1]}}}}, "lower end first"),
        ({"planning": {"rules": "fixed"}}, "requires patch and batch"),
        ({"loss": {"dice": "none", "entropy": "none"}}, "at least one"),
        ({"optimizer": {"kind": "schedule-free-adamw", "average": 0.9}}, "averages by itself"),
        ({"optimizer": {"kind": "adamw", "betas": [0.9, 1]}}, r"betas.* is 1"),
        ({"optimizer": {"kind": "schedule-free-adamw", "betas": [0, 0.9]}}, "divides by the first, 0"),
        ({"schedule": {"kind": "plateau"}, "steps": 10}, "plateau requires"),
        ({"network": {"arguments": {"deep_supervision": False}}}, r"expected loss\.supervision"),
    ],
)
def test_invalid_values_are_refused_with_their_key(overrides, message):
    with pytest.raises(UsageError, match=message):
        load_recipe("nnunet", overrides)


@pytest.mark.parametrize(
    ("recipe", "count"),
    [
        ("mbas-stage1", 11_345_866),
        ("mbas-stage2", 140_404_440),
        ("mbas-mednextv2-slim96", 1_650_730),
        ("mbas-mednextv1-slim96", 1_924_172),
        ("mbas-mednextv2", 24_467_946),
    ],
)
def test_networks_of_mbas_have_the_published_number_of_parameters(recipe, count):
    """Of a first stage with its two classes, background and heart; of the second with four."""
    network, classes = load_recipe(recipe).network, 4 if recipe == "mbas-stage2" else 2
    given = {"input_channels": 1, "num_classes": classes, "deep_supervision": True}
    layers = UNET_LAYERS if network.name in UNETS else {}
    with torch.device("meta"):
        built = build_network(network.name, {**layers, **network.arguments, **given})
    assert sum(parameter.numel() for parameter in built.parameters()) == count


def test_another_network_does_not_inherit_arguments(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("inherit: mbas-stage1\nsource: mine\nnetwork: {name: PlainConvUNet}\n")
    assert load_recipe(file).network.arguments == {}
    assert load_recipe("mbas-stage1", {"network": {"name": "MedNeXtV1"}}).network.arguments == {}


def test_the_share_of_foreground_changes_at_shares_of_the_steps():
    changes = [{"after": 0.43, "foreground": 0.5}, {"after": 0.8, "foreground": 0.0}]
    sampling = load_recipe("nnunet", {"sampling": {"foreground": 1.0, "changes": changes}}).sampling
    assert [sampling.foreground_at(progress) for progress in (0, 0.42, 0.43, 0.9)] == [1.0, 1.0, 0.5, 0.0]
    with pytest.raises(UsageError, match="expected increasing shares"):
        load_recipe("nnunet", {"sampling": {"changes": changes[::-1]}})


@pytest.mark.parametrize(
    ("overrides", "meant"),
    [
        ({"batch": 5}, "planning.batch"),
        ({"patch": [8, 8, 8]}, "planning.patch"),
        ({"optimizer": {"lr": 1}}, "optimizer.learning_rate"),
        ({"epochs": 3}, "steps"),
        ({"planning": {"steps": 3}}, "steps"),
        ({"power": 1, "cases": 2}, "schedule.power or validation.cases"),
    ],
)
def test_the_place_of_an_unknown_key_is_named(overrides, meant):
    with pytest.raises(UsageError, match=rf"; did you mean {meant}\?$"):
        load_recipe("nnunet", overrides)


def test_a_key_that_resembles_none_is_not_guessed():
    with pytest.raises(UsageError) as caught:
        load_recipe("nnunet", {"unheard": 1})
    assert "did you mean" not in str(caught.value)


def test_no_file_of_the_package_is_named_for_what_was_set():
    with pytest.raises(UsageError, match=r"^recipe fast: 'steps' is 0: .*; correct what was set for steps$"):
        load_recipe("fast", {"steps": 0})


def test_a_recipe_that_lacks_keys_is_shown_how_to_inherit_them(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("steps: 7\n")
    with pytest.raises(UsageError, match=r"key 'network' is missing.*the line inherit: nnunet"):
        load_recipe(file)


def test_the_digest_covers_everything_but_the_length():
    recipe = load_recipe("nnunet")
    assert recipe_digest(recipe) == recipe_digest(load_recipe("nnunet", {"steps": 5}))
    assert recipe_digest(recipe) != recipe_digest(load_recipe("nnunet", {"seed": 1}))


def test_settings_become_nested_overrides():
    settings = ["optimizer.learning_rate=0.001", "optimizer.betas=[0.9, 0.99]", "steps=7"]
    assert parse_overrides(settings) == {
        "optimizer": {"learning_rate": 0.001, "betas": [0.9, 0.99]},
        "steps": 7,
    }


@pytest.mark.parametrize("settings", [["steps"], ["=7"], ["a..b=1"], ["steps=[1"], ["a=1", "a.b=2"]])
def test_settings_without_key_or_value_are_refused(settings):
    with pytest.raises(UsageError, match="--set"):
        parse_overrides(settings)
