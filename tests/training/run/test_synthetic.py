"""Trainings on phantoms, alone or beside the cases of a data set."""

import json

import pytest
import yaml

from segcube.core import UsageError
from segcube.spec.challenges import load_challenge
from segcube.training.cases import DataError
from segcube.training.keys import StepKey
from segcube.training.recipes import load_recipe
from segcube.training.run import RunFolder, TrainOptions, plan_run, prepare_run, train_fold
from segcube.training.run.fold_data import open_fold
from segcube.training.sampling import draw_patches

from .small import OVERRIDES, request_of, write_data

COARSE = OVERRIDES | {
    "preprocessing": {"spacing": [8, 8, 8]},
    "planning": OVERRIDES["planning"] | {"patch": [8, 8, 8]},
    "synthetic": {"share": 1.0, "spacing": 8.0, "buffer": 8, "patches": 6},
    "validation": {"every": 6, "cases": 1},
}


def run_with(folder, changes):
    run = RunFolder(folder / "run")
    recipe = load_recipe("fast", COARSE | changes)
    plan_run(request_of(write_data(folder / "data"), recipe=recipe), run)
    return run


@pytest.fixture(scope="module", autouse=True)
def few_phantoms():
    """Two for the first step: each takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segcube.training.stream.stream.FIRST", 2)
        yield


@pytest.fixture(scope="module")
def phantoms_alone(tmp_path_factory):
    """Six steps at once."""
    run = run_with(tmp_path_factory.mktemp("phantoms"), {"steps": 6})
    train_fold(run, 0, TrainOptions(device="cpu"))
    return run


def test_a_training_on_phantoms_alone_needs_no_cache(phantoms_alone):
    assert list(prepare_run(phantoms_alone)) == []
    assert not phantoms_alone.cache.exists()
    assert open_fold(phantoms_alone, 0).cases == ()


def test_a_training_that_was_ended_continues_with_the_same_phantoms(phantoms_alone, tmp_path):
    run = run_with(tmp_path, {"steps": 6})
    for steps in (3, 6):
        train_fold(run, 0, TrainOptions(device="cpu", steps=steps))
    assert run.fold(0).final.read_bytes() == phantoms_alone.fold(0).final.read_bytes()


def test_the_share_of_samples_shows_phantoms(tmp_path):
    run = run_with(tmp_path, {"synthetic": COARSE["synthetic"] | {"share": 0.3}})
    assert all(outcome.error is None for outcome in prepare_run(run))
    data = open_fold(run, 0)
    assert len(data.cases) == 2
    keys = [StepKey(0, step) for step in range(500)]
    rules = data.plan.patch_rules
    draws = [d for key in keys for d in draw_patches(data.cases, rules, key, range(2), data.cases * 2)]
    shown = [draw.case for draw in draws]
    assert {*shown} == {0, 1, 2, 3, 4, 5}
    # A binomial of 1000 draws: within five standard deviations
    assert abs(sum(case >= 2 for case in shown) / 1000 - 0.3) < 0.073


def test_a_challenge_without_phantoms_is_refused_at_planning(tmp_path):
    content = load_challenge("mbas2024").model_dump(mode="json", by_alias=True) | {"key": "valves"}
    content["labels"]["valve"] = 4
    file = tmp_path / "valves.yaml"
    file.write_text(yaml.safe_dump(content))
    request = request_of(
        write_data(tmp_path / "data"), challenge=str(file), recipe=load_recipe("fast", COARSE)
    )
    with pytest.raises(UsageError, match="no synthetic tissue for label valve"):
        plan_run(request, RunFolder(tmp_path / "run"))


def test_without_a_split_one_fold_validates_all_cases_of_a_training_on_phantoms(tmp_path):
    run = RunFolder(tmp_path / "run")
    recipe = load_recipe("fast", COARSE)
    plan_run(request_of(write_data(tmp_path / "data"), recipe=recipe, folds=None), run)
    split = open_fold(run, 0).split
    assert split.training == ()
    assert len(split.validation) == 4


def test_a_training_on_cases_needs_some(tmp_path):
    data = write_data(tmp_path / "data")
    names = sorted(file.name.removesuffix("_gt.nii.gz") for file in data.glob("*_gt.nii.gz"))
    splits = tmp_path / "splits.json"
    splits.write_text(json.dumps([{"train": [], "val": names}]))
    recipe = load_recipe("fast", COARSE | {"synthetic": COARSE["synthetic"] | {"share": 0.5}})
    with pytest.raises(DataError, match="has no training case"):
        plan_run(request_of(data, recipe=recipe, folds=splits), RunFolder(tmp_path / "run"))
