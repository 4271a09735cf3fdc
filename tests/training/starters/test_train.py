import pytest

from segcube.networks import count_channels, window_multiple
from segcube.networks.registry import check_arguments
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import load_for_challenge
from segcube.training.starters.recipes import STARTERS
from segcube.training.starters.train import make_starters

MEMBERS = [
    (starter, branch, member)
    for starter in STARTERS.values()
    for stage in starter.submission.stages
    for branch in stage.branches
    for member in branch.members
]


@pytest.mark.parametrize(("starter", "branch", "member"), MEMBERS)
def test_recipes_fit_their_branch(starter, branch, member):
    recipe = starter.recipes[member.file]
    check_arguments(recipe.network, recipe.arguments)
    channels = len(branch.channels), len(branch.outputs.names)
    assert count_channels(recipe.network, recipe.arguments) == channels
    multiple = window_multiple(recipe.network, recipe.arguments)
    assert all(size % step == 0 for size, step in zip(branch.window.size, multiple, strict=True))


@pytest.mark.parametrize("starter", STARTERS.values(), ids=list(STARTERS))
def test_all_challenges_of_a_starter_have_the_same_channels_and_regions(starter):
    own = load_challenge(starter.submission.challenge)
    for key in starter.submission.challenge_keys:
        other = load_challenge(key)
        assert other.channel_names == own.channel_names
        assert list(other.regions) == list(own.regions)


def test_a_starter_is_trained_and_written(tmp_path):
    lines = []
    folders = make_starters(tmp_path, ["brats-starter"], cases=1, steps=1, log=lines.append)
    assert folders == [tmp_path / "brats-starter"]
    loaded = load_for_challenge(folders[0])
    assert loaded.submission.starter
    assert len(loaded.submission.members) == 3
    assert len([line for line in lines if "steps" in line]) == 3
