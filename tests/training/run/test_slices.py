"""Two dimensions: colour images in PNG with masks in PNG, and volumes slice by slice."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image

from segcube.core import RunSettings, UsageError
from segcube.evaluation import evaluate_folder
from segcube.inference.folder import Request, run_folder
from segcube.release.check import check_output
from segcube.spec.challenges import load_challenge
from segcube.training.cases import load_folds
from segcube.training.recipes import load_recipe
from segcube.training.run import (
    PlanRequest,
    RunFolder,
    TrainOptions,
    ValidateOptions,
    collect_run,
    plan_run,
    prepare_run,
    train_fold,
    validate_run,
)

from .small import OVERRIDES, request_of, trained_run, write_data

CPU, SCORES = TrainOptions(device="cpu"), ValidateOptions(device="cpu")
SLICES = OVERRIDES | {
    "planning": {
        "rules": "fixed",
        "resolution": "2d",
        "patch": [1, 32, 32],
        "batch": 4,
        "base_features": 4,
        "most_features_2d": 8,
    },
    "preprocessing": {},
    "steps": 100,
    "validation": {"every": 100, "cases": 1},
}
CHALLENGE = {
    "key": "glands",
    "title": "Glands in colour images",
    "format": "png",
    "case": r"gland_\d{2}",
    "made_case": "gland_{number:02d}",
    "layout": "walk",
    "channels": [
        {"name": name, "suffixes": ["_0000"], "component": index} for index, name in enumerate("RGB")
    ],
    "reference": "R",
    "labels": {"background": 0, "gland": 1},
    "regions": {"gland": ["gland"]},
    "scored": ["gland"],
    "write": [{"region": "gland", "label": "gland"}],
    "geometry": {"fixed": False, "grids": [{"shape": [40, 36, 1], "spacing": [1, 1, 1]}]},
    "output": "{case}.png",
    "metrics": {"profile": "plain"},
}


def write_glands(folder, count=4):
    """Raw data of nnU-Net: dark discs on bright images, and their masks."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    y, x = np.indices((36, 40))
    for number in range(1, count + 1):
        rng = np.random.default_rng(number)
        mask = (x - rng.integers(12, 28)) ** 2 + (y - rng.integers(12, 24)) ** 2 < 64
        image = np.where(mask[..., None], (60, 30, 90), (200, 180, 210)) + rng.normal(0, 8, (36, 40, 3))
        name = f"gland_{number:02d}"
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"imagesTr/{name}_0000.png")
        Image.fromarray(mask.astype(np.uint8)).save(folder / f"labelsTr/{name}.png")
    dataset = {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background": 0, "gland": 1},
        "numTraining": count,
        "file_ending": ".png",
    }
    (folder / "dataset.json").write_text(json.dumps(dataset))
    return folder


@pytest.fixture(scope="module")
def glands(tmp_path_factory):
    """A trained and validated run on images."""
    folder = tmp_path_factory.mktemp("glands")
    challenge = folder / "glands.yaml"
    challenge.write_text(yaml.safe_dump(CHALLENGE))
    data = write_glands(folder / "Dataset001_Glands")
    request = PlanRequest(data, str(challenge), load_recipe("fast", SLICES), folds=2, device="cpu")
    return trained_run(request, RunFolder(folder / "run"))


def test_images_are_learned(glands):
    scores = validate_run(glands, (), SCORES)
    assert len(scores.cases) == 4
    assert scores.mean["gland"]["dice"] > 0.8


def test_label_maps_of_a_submission_are_images(glands, tmp_path):
    validate_run(glands, (), SCORES)
    weights, maps = tmp_path / "weights", tmp_path / "maps"
    collect_run(glands, weights)
    images = glands.root.with_name("Dataset001_Glands") / "imagesTr"
    assert run_folder(Request(images, maps, weights, RunSettings(device="cpu"))) == 0
    names = sorted(name for fold in load_folds(glands.folds).validation for name in fold)
    assert sorted(file.name for file in maps.glob("*.png")) == [f"{name}.png" for name in names]
    mask = np.asarray(Image.open(maps / f"{names[0]}.png"))
    assert (mask.shape, mask.dtype, set(np.unique(mask))) == ((36, 40), np.uint8, {0, 1})
    challenge = load_challenge(weights / "challenge.yaml")
    assert not check_output(maps, images, str(weights / "challenge.yaml")).findings
    found = evaluate_folder(maps, glands.root.with_name("Dataset001_Glands") / "labelsTr", challenge)
    assert found.mean["gland"]["dice"] > 0.8


def test_images_need_a_plan_of_slices(glands, tmp_path):
    data = glands.root.with_name("Dataset001_Glands")
    recipe = load_recipe("nnunet", {"steps": 1})
    request = PlanRequest(data, str(glands.root.with_name("glands.yaml")), recipe, folds=2, device="cpu")
    with pytest.raises(UsageError, match=r"cases of one slice; expected volumes; use --set planning.resol"):
        plan_run(request, RunFolder(tmp_path / "run"))


def test_volumes_are_trained_and_predicted_slice_by_slice(tmp_path):
    data = write_data(tmp_path / "data")
    changes = {"planning": SLICES["planning"] | {"patch": [1, 16, 16]}, "preprocessing": {"union": "heart"}}
    recipe = load_recipe("fast", SLICES | changes)
    run = RunFolder(tmp_path / "run")
    plan = plan_run(request_of(data, recipe=recipe), run)
    assert plan.branch.spacing == (None, 1.0, 1.0)
    assert plan.branch.window.size == (1, 16, 16)
    assert plan.batch_dice
    list(prepare_run(run))
    train_fold(run, 0, CPU)
    scores = validate_run(run, [0], SCORES)
    # All foreground would have 0.3; instance norm makes noise of the slices without labels
    assert scores.mean["heart"]["dice"] > 0.4
