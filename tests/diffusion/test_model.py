"""A model of a run's cases, from its training to its samples."""

import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import safetensors.torch
import yaml

from segcube.core import EnvironmentFault, UsageError
from segcube.diffusion import (
    Adapters,
    ModelFolder,
    ModelOptions,
    ModelRequest,
    SampleRequest,
    load_diffusion_recipe,
    read_model_file,
    report_quality,
    train_model,
    write_samples,
)
from segcube.diffusion.images import LEVELS, LOW, as_intensities, condition
from segcube.phantoms import write_coarse_challenge
from segcube.spec.challenges import load_challenge
from segcube.training.cases import ExtraData, ExtraRules
from segcube.training.patches import OUTSIDE
from segcube.training.recipes import load_recipe
from segcube.training.run import RunFolder, TrainOptions, plan_run, prepare_run, train_fold

from ..training.run.small import OVERRIDES, planned_run, request_of

TINY = {
    "spacing": [2, 2, 2],
    "network": {"channels": [4, 4], "attention": [False, False], "groups": 2, "head_channels": 2},
    "process": {"sampling_steps": 2},
    "schedule": {"warmup": 0},
    "steps": 6,
}
CPU = ModelOptions(device="cpu")


def no_bar(_case, _total):
    pass


def request_for(run, fold=0, **changes):
    return ModelRequest(run, fold, load_diffusion_recipe("toy", TINY | changes))


def sampled(folder, out, **changes):
    request = SampleRequest(folder, device="cpu", **changes)
    return list(write_samples(request, out, no_bar))


def files_of(out):
    return {file.name: file.read_bytes() for file in sorted(out.rglob("*.nii.gz"))}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return planned_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    folder = ModelFolder(tmp_path_factory.mktemp("model") / "m")
    train_model(request_for(run), folder, CPU)
    return folder


def test_a_model_is_trained_on_the_training_cases_of_its_fold_alone(run, model):
    file, _ = read_model_file(model)
    folds = yaml.safe_load(run.folds.read_text())["validation"]
    assert {case.name for case in file.cases} == set(folds[1])
    assert set(file.patients) == {case.patient for case in file.cases}
    # 24 x 20 x 16 voxels of 1 mm
    assert file.patch == (12, 10, 8)


def test_a_training_that_was_ended_ends_in_the_same_weights(run, model, tmp_path):
    folder = ModelFolder(tmp_path)
    train_model(request_for(run), folder, replace(CPU, steps=2))
    train_model(request_for(run), folder, CPU)
    assert folder.final.read_bytes() == model.final.read_bytes()


def test_the_same_seed_gives_the_same_samples_in_any_order(model, tmp_path):
    names = sampled(model, tmp_path / "one", count=3)
    sampled(model, tmp_path / "two", count=2)
    sampled(model, tmp_path / "two", count=3)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    sampled(model, tmp_path / "other", count=3, seed=1)
    assert files_of(tmp_path / "one") != files_of(tmp_path / "other")
    trained = {case.name for case in read_model_file(model)[0].cases}
    assert not trained & set(names)


def test_label_maps_of_cases_are_those_of_the_training_cases(run, model, tmp_path):
    sampled(model, tmp_path, count=2, masks="cases")
    volumes = []
    for file in sorted((tmp_path / "labels").iterdir()):
        image = nib.load(file)
        assert image.header.get_zooms() == (2, 2, 2)
        volumes.append(sorted(np.unique(np.asanyarray(image.dataobj), return_counts=True)[1].tolist()))
    names = [case.name for case in read_model_file(model)[0].cases]
    expected = []
    for name in names:
        labels = np.asanyarray(nib.load(run.root.parent / "data" / f"{name}_label.nii.gz").dataobj)
        expected.append(np.count_nonzero(labels) / 8)
    found = sorted(sum(counts[:-1]) for counts in volumes)
    assert found == pytest.approx(sorted(expected), rel=0.35)


def test_samples_of_another_seed_are_not_mixed(model, tmp_path):
    sampled(model, tmp_path)
    with pytest.raises(UsageError, match="holds samples of another model, seed or source of label maps"):
        sampled(model, tmp_path, seed=1)


def test_samples_never_replace_the_challenge_of_something_else(model, tmp_path):
    before = {file: file.read_bytes() for file in model.root.iterdir() if file.is_file()}
    with pytest.raises(UsageError, match="is the model's own folder"):
        sampled(model, model.root)
    assert {file: file.read_bytes() for file in model.root.iterdir() if file.is_file()} == before
    write_coarse_challenge(load_challenge("mbas2024"), 8.0, tmp_path)
    with pytest.raises(UsageError, match=r"challenge\.yaml: is not mbas2024 on the grid of the model"):
        sampled(model, tmp_path)


def test_a_file_that_is_no_sample_is_kept(model, tmp_path):
    (name,) = sampled(model, tmp_path)
    file = tmp_path / "labels" / f"{name}_label.nii.gz"
    file.write_bytes(b"an expert's")
    with pytest.raises(UsageError, match=r"would replace labels/.*, which is no sample"):
        sampled(model, tmp_path)
    assert file.read_bytes() == b"an expert's"


def planned_with(run, samples, folder, rules=None, **changes):
    planned = RunFolder(folder / "with-samples")
    extra = ExtraData(samples / "data", str(samples / "challenge.yaml"), samples / "labels")
    recipe = load_recipe("fast", OVERRIDES)
    request = request_of(run.root.parent / "data", recipe=recipe, extra=(extra,), folds=run.folds, **changes)
    plan_run(replace(request, extra_rules=rules or ExtraRules()), planned)
    return planned


def test_samples_train_the_fold_of_their_model_and_no_other(run, model, tmp_path):
    (name,) = sampled(model, tmp_path / "samples")
    planned = planned_with(run, tmp_path / "samples", tmp_path)
    assert all(outcome.error is None for outcome in prepare_run(planned))
    train_fold(planned, 0, TrainOptions(device="cpu", steps=1))
    validated = yaml.safe_load(planned.folds.read_text())["validation"]
    assert name not in {case for cases in validated for case in cases}
    with pytest.raises(UsageError, match=r"trained on patient .*, whose case .* is validated by fold 1"):
        train_fold(planned, 1, TrainOptions(device="cpu", steps=1))


def test_samples_are_never_validated(run, model, tmp_path):
    sampled(model, tmp_path / "samples")
    with pytest.raises(UsageError, match="samples of a generative model, which are never validated"):
        planned_with(run, tmp_path / "samples", tmp_path, ExtraRules(in_folds=True))
    challenge = str(tmp_path / "samples" / "challenge.yaml")
    request = request_of(
        tmp_path / "samples" / "data", challenge=challenge, labels=tmp_path / "samples/labels"
    )
    with pytest.raises(UsageError, match="expected --extra for this folder"):
        plan_run(request, RunFolder(tmp_path / "alone"))


def test_samples_without_their_origin_are_refused(run, model, tmp_path):
    sampled(model, tmp_path / "samples")
    (tmp_path / "samples" / "data" / "origin.yaml").unlink()
    with pytest.raises(UsageError, match=r"is a sample of a generative model, and the folder has no"):
        planned_with(run, tmp_path / "samples", tmp_path)


def test_a_folder_of_something_else_is_left_as_it_is(run, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "state-000000005.json").write_text("of a training")
    with pytest.raises(UsageError, match="holds state-000000005"):
        train_model(request_for(run), ModelFolder(folder), replace(CPU, fresh=True))
    with pytest.raises(UsageError, match="and no model"):
        train_model(request_for(run), ModelFolder(run.root), CPU)
    assert len(list(folder.iterdir())) == 1


def test_a_model_does_not_start_from_itself(run, model):
    request = replace(request_for(run), base=model.root)
    with pytest.raises(UsageError, match="is both the new model and the one to start from"):
        train_model(request, model, CPU)
    assert model.final.is_file()


def test_adapters_are_merged_into_plain_weights(run, model, tmp_path):
    folder = ModelFolder(tmp_path)
    adapters = Adapters(layers=("up_blocks.*",), rank=2, alpha=2.0)
    request = replace(request_for(run), base=model.root, adapters=adapters)
    train_model(request, folder, CPU)
    before, after = (safetensors.torch.load_file(one.final) for one in (model, folder))
    assert before.keys() == after.keys()
    changed = {name for name in after if not after[name].equal(before[name])}
    assert changed
    assert all(name.startswith("up_blocks.") and name.endswith("weight") for name in changed)
    sampled(folder, tmp_path / "samples")


def test_a_model_that_starts_from_another_knows_its_patients_too(run, model, tmp_path):
    folder = ModelFolder(tmp_path / "next")
    train_model(replace(request_for(run, fold=1), base=model.root), folder, replace(CPU, steps=1))
    file, _ = read_model_file(folder)
    assert len(file.cases) == 2
    assert len(file.patients) == 4


def test_another_recipe_is_not_trained_into_the_same_folder(run, model, tmp_path):
    folder = ModelFolder(tmp_path / "m")
    shutil.copytree(model.root, folder.root)
    with pytest.raises(UsageError, match="holds a model of another recipe"):
        train_model(request_for(run, loss="l1"), folder, CPU)
    train_model(request_for(run, loss="l1"), folder, replace(CPU, fresh=True, steps=1))
    assert read_model_file(folder)[0].recipe.loss == "l1"


def test_a_refused_training_leaves_the_model_as_it_was(run, model, tmp_path):
    folder = ModelFolder(tmp_path / "m")
    shutil.copytree(model.root, folder.root)
    before = {file: file.read_bytes() for file in folder.root.rglob("*") if file.is_file()}
    with pytest.raises(UsageError, match="holds a model of another recipe"):
        train_model(request_for(run, spacing=[3, 3, 3]), folder, CPU)
    with pytest.raises(UsageError, match="fold 7"):
        train_model(request_for(run, fold=7), folder, replace(CPU, fresh=True))
    after = {file: file.read_bytes() for file in folder.root.rglob("*") if file.is_file()}
    assert {file.name for file in before if before[file] != after.get(file)} <= {"lock"}


def test_a_model_of_samples_knows_the_patients_they_were_made_from(run, model, tmp_path):
    sampled(model, tmp_path / "samples")
    planned = planned_with(run, tmp_path / "samples", tmp_path)
    folder = ModelFolder(tmp_path / "next")
    train_model(request_for(planned, fold=1), folder, replace(CPU, steps=1))
    assert set(read_model_file(model)[0].patients) <= set(read_model_file(folder)[0].patients)


def test_weights_of_another_file_are_refused(model, tmp_path):
    folder = ModelFolder(tmp_path / "m")
    shutil.copytree(model.root, folder.root)
    folder.final.write_bytes(folder.final.read_bytes()[:-1] + b"?")
    with pytest.raises(EnvironmentFault, match="is not the file that the training wrote"):
        sampled(folder, tmp_path / "samples")
    folder.trained.unlink()
    with pytest.raises(UsageError, match="no weights; expected a finished training"):
        sampled(folder, tmp_path / "samples")


def test_the_report_finds_copies_of_training_cases(model, tmp_path):
    names = sampled(model, tmp_path, count=2, masks="cases")
    found = report_quality(model, tmp_path, (), no_bar)
    assert set(found.nearest) == set(names)
    assert len(found.comparison.rows) > 5
    _replace_by_training_case(model, tmp_path, names[0])
    found = report_quality(model, tmp_path, (), no_bar)
    assert found.nearest[names[0]].is_copy
    assert found.nearest[names[0]].correlation == pytest.approx(1.0, abs=0.01)
    assert found.nearest[names[0]].case == read_model_file(model)[0].cases[0].name
    assert not found.nearest[names[1]].is_copy


def _replace_by_training_case(model, samples, name):
    case = read_model_file(model)[0].cases[0]
    image_cxyz = np.load(model.cache / case.name / "image.npy").astype(np.float32)
    file = samples / "data" / f"{name}_gt.nii.gz"
    affine = nib.load(file).affine
    body_xyz = np.ones(image_cxyz.shape[1:], bool)
    nib.save(nib.Nifti1Image(as_intensities(image_cxyz, body_xyz)[0], affine), file)


def test_the_condition_has_a_channel_for_each_label_and_one_for_the_body():
    import torch

    labels_bxyz = torch.tensor([[[[0, 1, 2, OUTSIDE, 255]]]], dtype=torch.uint8)
    masks_bkxyz = condition(labels_bxyz, 3)
    assert masks_bkxyz[0, :, 0, 0].tolist() == [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 0, 1]]


def test_intensities_are_whole_and_zero_outside_of_the_body():
    image_xyz = np.array([[[LOW - 1, LOW, 0.0, 0.0]]], np.float32)
    body_xyz = np.array([[[True, True, True, False]]])
    assert as_intensities(image_xyz, body_xyz).tolist() == [[[1, 1, 1 - LOW * LEVELS, 0]]]
