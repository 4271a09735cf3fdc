import shutil

import nibabel as nib
import numpy as np
import pytest
import torch

from segcube.core import Clock, EnvironmentFault, RunSettings, UsageError
from segcube.inference.folder import Request, run_folder
from segcube.training.cases import load_folds
from segcube.training.keys import StepKey
from segcube.training.log import StepLog
from segcube.training.patches import IGNORE
from segcube.training.plan import read_plan
from segcube.training.recipes import load_recipe
from segcube.training.run import (
    CollectOptions,
    RunFolder,
    TrainOptions,
    ValidateOptions,
    collect_run,
    is_collected,
    plan_run,
    prepare_run,
    train_fold,
    validate_run,
)
from segcube.training.run.fold import build_training
from segcube.training.run.fold_data import open_fold

from .small import OVERRIDES, request_of, trained_run, write_data

CPU, SCORES = TrainOptions(device="cpu"), ValidateOptions(device="cpu", pictures=0)
UNION = {"spacing": [1, 1, 1], "union": "heart", "outputs": "regions"}
FIRST = OVERRIDES | {"preprocessing": UNION, "steps": 60}
SECOND = OVERRIDES | {"cascade": {"as": "gate", "dilate": 1}, "steps": 20}


def second(data, previous, folds=None):
    recipe = load_recipe("fast", SECOND)
    return request_of(data, recipe=recipe, previous=previous, folds=folds)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A first stage, trained and validated."""
    folder = tmp_path_factory.mktemp("cascade")
    request = request_of(write_data(folder / "data"), recipe=load_recipe("fast", FIRST))
    run = trained_run(request, RunFolder(folder / "heart"))
    validate_run(run, (), SCORES)
    return run


@pytest.fixture(scope="module")
def trained(first):
    """The second stage, trained and validated."""
    request = second(first.root.with_name("data"), first.root)
    run = trained_run(request, RunFolder(first.root.with_name("chambers")))
    validate_run(run, (), SCORES)
    return run


def exchanged(names):
    """folds.yaml with a case of each of two folds in the other one."""
    (one, two), (three, four) = names
    return f"source: test\nvalidation: [[{one}, {three}], [{two}, {four}]]\n"


def test_the_folds_are_those_of_the_first_stage(first, trained):
    assert load_folds(trained.folds).validation == load_folds(first.folds).validation


def test_validations_during_the_training_use_the_masks(trained):
    records = list(StepLog(trained.fold(0).log).records())
    assert [record["step"] for record in records if record["kind"] == "validation"] == [4, 8, 12, 16, 20]
    assert not [r for r in records if r["kind"] == "event" and "the validation after" in r["message"]]


def test_masks_out_of_fold_are_cached_and_voxels_outside_take_no_part(first, trained):
    data = open_fold(trained, 0)
    for case in data.cases:
        assert case.previous_xyz is not None
        fold = next(n for n, names in enumerate(load_folds(first.folds).validation) if case.name in names)
        predicted = np.asarray(nib.load(first.validated(fold).maps / f"{case.name}_label.nii.gz").dataobj)
        # The largest component, at the same spacing
        assert 0 < case.previous_xyz.sum() <= np.count_nonzero(predicted)
    batch = build_training(data, trained.fold(0), torch.device("cpu"), CPU).source(StepKey(0, 0), Clock())
    outside = batch.labels_bxyz == IGNORE
    assert outside.any()
    assert not outside.all()


def test_the_collected_cascade_predicts_what_was_validated(first, trained, tmp_path):
    submission = collect_run(trained, tmp_path / "weights", CollectOptions(folds=[0]))
    assert [stage.name for stage in submission.stages] == ["heart", "segmentation"]
    follows = submission.stages[1].follows
    assert follows is not None
    assert (follows.stage, follows.as_, follows.grid) == ("heart", "gate", "branch")
    assert (follows.dilate.radius, follows.keep) == (1, "largest_component")
    data = tmp_path / "data"
    data.mkdir()
    names = load_folds(trained.folds).validation[0]
    for name in names:
        shutil.copy(first.root.with_name("data") / f"{name}_gt.nii.gz", data)
    assert run_folder(Request(data, tmp_path / "maps", tmp_path / "weights", RunSettings(device="cpu"))) == 0
    for file in (f"{name}_label.nii.gz" for name in names):
        assert (tmp_path / "maps" / file).read_bytes() == (trained.validated(0).maps / file).read_bytes()


def test_a_training_of_a_second_stage_continues_to_the_same_bytes(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "chambers"))
    shutil.rmtree(run.fold(0).root)
    train_fold(run, 0, TrainOptions(device="cpu", steps=7))
    train_fold(run, 0, CPU)
    assert run.fold(0).final.read_bytes() == trained.fold(0).final.read_bytes()


def test_the_region_of_a_union_is_one_channel(first, tmp_path):
    channels = {"cascade": {"as": "onehot_channels", "keep": "all"}}
    data, run = first.root.with_name("data"), RunFolder(tmp_path / "run")
    recipe = load_recipe("fast", OVERRIDES | channels)
    plan = plan_run(request_of(data, recipe=recipe, previous=first.root), run)
    # The only region of a union is written as the first label
    assert (plan.previous.labels, plan.arguments["input_channels"]) == ({"wall": 1}, 2)
    assert plan.follows.paint[0].region == "heart"
    assert all(outcome.error is None for outcome in prepare_run(run))
    for case in open_fold(run, 0).cases:
        fold = next(n for n, names in enumerate(load_folds(first.folds).validation) if case.name in names)
        predicted = np.asarray(nib.load(first.validated(fold).maps / f"{case.name}_label.nii.gz").dataobj)
        assert case.previous_xyz.sum() == np.count_nonzero(predicted)


def test_a_first_stage_with_another_split_is_refused(first, tmp_path):
    names = load_folds(first.folds).validation
    folds = tmp_path / "folds.yaml"
    folds.write_text(exchanged(names))
    data = first.root.with_name("data")
    with pytest.raises(UsageError, match="the first stage has other folds, so that masks of cases that"):
        plan_run(second(data, first.root, folds=folds), RunFolder(tmp_path / "run"))


def test_a_first_stage_that_was_split_anew_is_refused(first, trained, tmp_path):
    moved = RunFolder(shutil.copytree(first.root, tmp_path / "heart"))
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "chambers"))
    run.plan.write_text(run.plan.read_text().replace(str(first.root), str(moved.root)))
    assert read_plan(run.plan).previous.run == moved.root
    names = load_folds(first.folds).validation
    moved.folds.write_text(exchanged(names))
    with pytest.raises(EnvironmentFault, match="folds of the first stage changed: its masks may be of"):
        list(prepare_run(run))


def test_other_folds_of_the_second_stage_are_refused(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "chambers"))
    run.folds.write_text(exchanged(load_folds(trained.folds).validation))
    for use in (lambda: train_fold(run, 0, CPU), lambda: validate_run(run, [0], SCORES)):
        with pytest.raises(EnvironmentFault, match="the folds changed: masks of the first stage would be of"):
            use()


def test_a_first_stage_that_is_not_there_is_named(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "chambers"))
    before = str(read_plan(run.plan).previous.run)
    run.plan.write_text(run.plan.read_text().replace(before, str(tmp_path / "heart")))
    with pytest.raises(EnvironmentFault, match=r"heart: the first stage is not there;.*previous\.run"):
        validate_run(run, [0], SCORES)


def test_cases_with_other_labels_than_in_the_first_stage_are_pointed_out(first, tmp_path, caplog):
    data = shutil.copytree(first.root.with_name("data"), tmp_path / "data")
    run = RunFolder(tmp_path / "chambers")
    for kind in ("gt", "label"):
        one, two = (data / f"MBAS_00{number}_{kind}.nii.gz" for number in (1, 2))
        one.rename(tmp_path / one.name)
        two.rename(one)
        (tmp_path / one.name).rename(two)
    plan_run(second(data, first.root), run)
    assert all(outcome.error is None for outcome in prepare_run(run))
    assert "2 cases, such as MBAS_001, have another label map than in the first stage" in caplog.text


def test_a_first_stage_that_is_not_validated_with_its_weights_is_refused(first, trained, tmp_path):
    moved = RunFolder(shutil.copytree(first.root, tmp_path / "heart"))
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "chambers"))
    run.plan.write_text(run.plan.read_text().replace(str(first.root), str(moved.root)))
    moved.validated(1).summary.unlink()
    with pytest.raises(EnvironmentFault, match=r"fold 1 of the first stage has no label maps.*validate"):
        open_fold(run, 0)


def test_recipe_and_option_belong_together(first, tmp_path):
    data = first.root.with_name("data")
    with pytest.raises(UsageError, match="a recipe of a second stage; expected --previous as well"):
        plan_run(second(data, None), RunFolder(tmp_path / "run"))
    recipe = load_recipe("fast", OVERRIDES)
    with pytest.raises(UsageError, match="--previous with a recipe of a single stage; expected one"):
        plan_run(request_of(data, recipe=recipe, previous=first.root), RunFolder(tmp_path / "run"))


def test_other_weights_of_the_first_stage_are_refused(first, trained, tmp_path):
    moved = RunFolder(shutil.copytree(first.root, tmp_path / "heart"))
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "chambers"))
    run.plan.write_text(run.plan.read_text().replace(str(first.root), str(moved.root)))
    shutil.rmtree(run.fold(0).root)
    train_fold(run, 0, CPU)
    collect_run(run, tmp_path / "before", CollectOptions(folds=[0]))
    train_fold(moved, 0, TrainOptions(device="cpu", steps=62))
    with pytest.raises(EnvironmentFault, match="trained with masks of other weights of the first stage"):
        collect_run(run, tmp_path / "after", CollectOptions(folds=[0]))


def test_the_card_of_a_cascade_has_its_scores(trained, tmp_path):
    collect_run(trained, tmp_path / "weights")
    card = (tmp_path / "weights/MODEL_CARD.md").read_text()
    assert "| all | 4 |" in card
    assert "First stage: run heart" in card
    assert is_collected(trained, tmp_path / "weights")


def test_a_first_stage_that_was_split_anew_is_not_collected(first, trained, tmp_path):
    moved = RunFolder(shutil.copytree(first.root, tmp_path / "heart"))
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "chambers"))
    run.plan.write_text(run.plan.read_text().replace(str(first.root), str(moved.root)))
    # A moved first stage is the same one
    collect_run(run, tmp_path / "before")
    moved.folds.write_text(exchanged(load_folds(first.folds).validation))
    with pytest.raises(EnvironmentFault, match="folds of the first stage changed"):
        collect_run(run, tmp_path / "after")


def test_two_stages_never_have_one_name(first, tmp_path):
    run = RunFolder(shutil.copytree(first.root, tmp_path / "segmentation"))
    plan = plan_run(second(first.root.with_name("data"), run.root), RunFolder(tmp_path / "run"))
    assert plan.previous.name == "segmentation-first"
