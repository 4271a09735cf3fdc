"""A second stage that gets the first one's labels as channels, as in nnU-Net's cascade."""

import shutil
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from segcube.core import Clock, RunSettings
from segcube.inference.folder import Request, run_folder
from segcube.training.cases import load_folds
from segcube.training.keys import StepKey
from segcube.training.log import StepLog
from segcube.training.plan import read_plan
from segcube.training.recipes import load_recipe
from segcube.training.run import (
    CollectOptions,
    RunFolder,
    StartRequest,
    TrainOptions,
    ValidateOptions,
    collect_run,
    train_fold,
    validate_run,
)
from segcube.training.run.fold import build_training
from segcube.training.run.fold_data import open_fold

from .small import OVERRIDES, request_of, trained_run, write_data

CPU, SCORES = TrainOptions(device="cpu"), ValidateOptions(device="cpu", pictures=0)
CHANGED_MASKS = {
    "morphology": {"p": 0.4, "p_label": 0.5, "radius": [1, 2]},
    "removal": {"p": 0.2, "p_label": 0.5},
}
CHANNELS: dict[str, Any] = {"as": "onehot_channels", "keep": "all"}


def train(run, recipe, data, previous=None):
    trained_run(request_of(data, recipe=load_recipe("fast", recipe), previous=previous), run)
    validate_run(run, (), SCORES)
    return run


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """Both stages of a cascade."""
    folder = tmp_path_factory.mktemp("channels")
    data = write_data(folder / "data")
    first: dict[str, Any] = OVERRIDES | {"steps": 30, "validation": {"every": 30, "cases": 1}}
    before = train(RunFolder(folder / "first"), first, data)
    second = OVERRIDES | {"cascade": CHANNELS | CHANGED_MASKS, "steps": 12}
    second["validation"] = {"every": 6, "cases": 1}
    return before, train(RunFolder(folder / "second"), second, data, before.root)


def test_the_network_has_a_channel_for_each_label(stages):
    plan = read_plan(stages[1].plan)
    assert plan.arguments["input_channels"] == 4
    assert plan.input_channels == (
        "lge",
        *(f"{label} of the previous stage" for label in ("wall", "RA", "LA")),
    )


def test_a_batch_has_the_maps_out_of_fold_as_channels(stages):
    first, second = stages
    data = open_fold(second, 0)
    count = len(data.plan.mask_channels)
    for case in data.cases:
        fold = next(n for n, names in enumerate(load_folds(first.folds).validation) if case.name in names)
        found = np.asarray(nib.load(first.validated(fold).maps / f"{case.name}_label.nii.gz").dataobj)
        values = {value: index + 1 for index, value in enumerate(data.plan.previous.labels.values())}
        # At the same spacing; the branch's axes are those of the file in another order
        sizes = {index: np.count_nonzero(found == value) for value, index in values.items()}
        stored = {index: np.count_nonzero(case.previous_xyz == index) for index in values.values()}
        assert stored == sizes
    batch = build_training(data, second.fold(0), torch.device("cpu"), CPU).source(StepKey(0, 0), Clock())
    masks = batch.image_bcxyz[:, 1:]
    assert masks.shape[1] == count
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert masks.sum(dim=1).max() == 1


def test_validations_during_the_training_use_the_maps(stages):
    records = list(StepLog(stages[1].fold(0).log).records())
    assert [record["step"] for record in records if record["kind"] == "validation"] == [6, 12]
    assert not [r for r in records if r["kind"] == "event" and "the validation after" in r["message"]]


def test_the_collected_cascade_predicts_what_was_validated(stages, tmp_path):
    first, second = stages
    submission = collect_run(second, tmp_path / "weights")
    assert [stage.follows and stage.follows.as_ for stage in submission.stages] == [None, "onehot_channels"]
    assert "as onehot channels, all" in (tmp_path / "weights/MODEL_CARD.md").read_text()
    for fold, names in enumerate(load_folds(second.folds).validation):
        data, weights, maps = (tmp_path / f"{name}-{fold}" for name in ("data", "weights", "maps"))
        data.mkdir()
        collect_run(second, weights, CollectOptions(folds=[fold]))
        for name in names:
            shutil.copy(first.root.with_name("data") / f"{name}_gt.nii.gz", data)
        assert run_folder(Request(data, maps, weights, RunSettings(device="cpu"))) == 0
        for file in (f"{name}_label.nii.gz" for name in names):
            assert (maps / file).read_bytes() == (second.validated(fold).maps / file).read_bytes()


def test_a_training_continues_to_the_same_bytes(stages, tmp_path):
    run = RunFolder(shutil.copytree(stages[1].root, tmp_path / "second"))
    shutil.rmtree(run.fold(0).root)
    train_fold(run, 0, TrainOptions(device="cpu", steps=7))
    train_fold(run, 0, CPU)
    assert run.fold(0).final.read_bytes() == stages[1].fold(0).final.read_bytes()


def test_a_single_stage_starts_a_second_one(stages, tmp_path):
    first, second = stages
    run = RunFolder(shutil.copytree(second.root, tmp_path / "second"))
    shutil.rmtree(run.fold(0).root)
    train_fold(run, 0, TrainOptions(device="cpu", steps=1, start=StartRequest(init=first.root)))
    assert "from their mean" in run.fold(0).start_table.read_text()
