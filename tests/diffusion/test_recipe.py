import pytest

from segcube.core import UsageError
from segcube.diffusion import diffusion_recipes, load_diffusion_recipe


def test_all_shipped_recipes_are_valid():
    assert diffusion_recipes() == ("flow", "med-ddpm", "toy")
    kinds = {name: load_diffusion_recipe(name).process.kind for name in diffusion_recipes()}
    assert kinds == {"flow": "rectified-flow", "med-ddpm": "ddpm", "toy": "rectified-flow"}


def test_values_that_are_set_replace_those_of_the_recipe():
    recipe = load_diffusion_recipe("toy", {"optimizer": {"learning_rate": 0.5}, "spacing": [1, 1, 1]})
    assert recipe.optimizer.learning_rate == 0.5
    assert recipe.optimizer.kind == "adamw"
    assert recipe.spacing == (1, 1, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch": [20, 20, 18]}, "expected multiples of 4"),
        ({"network": {"channels": [8, 18, 32]}}, "expected multiples of groups, 4"),
        ({"network": {"attention": [False]}}, "attention has 1 levels; expected 3"),
        (
            {"process": {"kind": "ddpm", "noise_steps": 10}},
            "sampling_steps 20; expected at most noise_steps, 10",
        ),
        ({"schedule": {"kind": "plateau"}}, "needs a validation"),
        ({"spacing": [0, 1, 1]}, "expected more than 0 and at most 20 mm"),
        ({"colour": 1}, "colour"),
    ],
)
def test_values_that_do_not_fit_are_named(changes, message):
    with pytest.raises(UsageError, match=message):
        load_diffusion_recipe("toy", changes)


def test_a_recipe_inherits_from_one_of_segcube(tmp_path):
    (tmp_path / "own.yaml").write_text("inherit: med-ddpm\nnetwork: {blocks: 3}\n")
    recipe, parent = load_diffusion_recipe(str(tmp_path / "own.yaml")), load_diffusion_recipe("med-ddpm")
    assert (recipe.name, recipe.network.blocks, recipe.network.channels) == (
        "own",
        3,
        parent.network.channels,
    )


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="no recipe 'gan'; expected one of flow, med-ddpm, toy"):
        load_diffusion_recipe("gan")
