"""A model of a run's cases, from its training to its samples."""

import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import safetensors.torch
import yaml

from segcube.core import EnvironmentFault, UsageError
from segcube.diffusion import Adapters, ModelFolder, read_model_file, train_model
from segcube.diffusion.images import LEVELS, LOW, as_intensities, condition
from segcube.diffusion.masks import draw_mask
from segcube.diffusion.model import open_examples
from segcube.phantoms import write_coarse_challenge
from segcube.spec.challenges import load_challenge
from segcube.training import StepKey
from segcube.training.patches import OUTSIDE
from segcube.training.recipes import load_recipe
from segcube.training.run import RunFolder, plan_run

from ..training.run.small import OVERRIDES, request_of
from .tiny import CPU, files_of, request_for, sampled


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
    with pytest.raises(
        UsageError, match="holds samples of another model, seed, source of label maps or number of steps"
    ):
        sampled(model, tmp_path, seed=1)
    with pytest.raises(UsageError, match="or number of steps"):
        sampled(model, tmp_path, steps=1)


def test_a_damaged_sample_is_sampled_again(model, tmp_path):
    sampled(model, tmp_path)
    before = files_of(tmp_path)
    for file in tmp_path.rglob("*.nii.gz"):
        file.write_bytes(file.read_bytes()[:-100])
    sampled(model, tmp_path)
    assert files_of(tmp_path) == before


def test_every_case_is_shown_before_one_is_shown_again(model):
    file, challenge = read_model_file(model)
    cases = open_examples(model, file, challenge)
    first = file.first_number - 1
    maps = [draw_mask("cases", cases, file, challenge, StepKey(0, first + index)) for index in range(4)]
    assert not maps[0].equal(maps[1])
    assert not maps[2].equal(maps[3])


def test_cases_with_ignored_voxels_are_left_out(run, tmp_path, caplog):
    data = tmp_path / "data"
    shutil.copytree(run.root.parent / "data", data)
    trained = yaml.safe_load(run.folds.read_text())["validation"][1]
    image = nib.load(data / f"{trained[0]}_label.nii.gz")
    labels_xyz = np.asanyarray(image.dataobj).copy()
    labels_xyz[:3] = 9
    nib.save(nib.Nifti1Image(labels_xyz, image.affine), data / f"{trained[0]}_label.nii.gz")
    planned = RunFolder(tmp_path / "planned")
    plan_run(
        replace(request_of(data, recipe=load_recipe("fast", OVERRIDES), ignore=9), folds=run.folds), planned
    )
    folder = ModelFolder(tmp_path / "m")
    train_model(request_for(planned), folder, replace(CPU, steps=1))
    assert [case.name for case in read_model_file(folder)[0].cases] == trained[1:]
    assert "ignored voxels" in caplog.text


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


@pytest.mark.parametrize(
    ("changes", "adapters"),
    [({"spacing": [0.01, 0.01, 0.01]}, None), ({}, Adapters(layers=("nothing.*",)))],
    ids=["spacing", "adapters"],
)
def test_a_fresh_training_that_cannot_start_leaves_the_weights(run, model, tmp_path, changes, adapters):
    folder = ModelFolder(tmp_path / "m")
    shutil.copytree(model.root, folder.root)
    request = request_for(run, **changes)
    if adapters is not None:
        request = replace(request, base=model.root, adapters=adapters)
    with pytest.raises((UsageError, EnvironmentFault)):
        train_model(request, folder, replace(CPU, fresh=True))
    assert folder.final.read_bytes() == model.final.read_bytes()
    assert folder.model.read_bytes() == model.model.read_bytes()


def test_a_challenge_of_something_else_is_not_replaced(run, tmp_path):
    own = RunFolder(tmp_path / "own")
    challenge = write_coarse_challenge(load_challenge("mbas2024"), 2.0, tmp_path / "own-challenge")[1]
    plan_run(
        request_of(run.root.parent / "data", recipe=load_recipe("fast", OVERRIDES), challenge=str(challenge)),
        own,
    )
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "challenge.yaml").write_text("of the user")
    with pytest.raises(UsageError, match="is not the challenge of the run"):
        train_model(request_for(own), ModelFolder(folder), CPU)
    assert (folder / "challenge.yaml").read_text() == "of the user"


def test_weights_of_another_file_are_refused(model, tmp_path):
    folder = ModelFolder(tmp_path / "m")
    shutil.copytree(model.root, folder.root)
    folder.final.write_bytes(folder.final.read_bytes()[:-1] + b"?")
    with pytest.raises(EnvironmentFault, match="is not the file that the training wrote"):
        sampled(folder, tmp_path / "samples")
    folder.trained.unlink()
    with pytest.raises(UsageError, match="no weights; expected a finished training"):
        sampled(folder, tmp_path / "samples")


def test_the_condition_has_a_channel_for_each_label_and_one_for_the_body():
    import torch

    labels_bxyz = torch.tensor([[[[0, 1, 2, OUTSIDE, 255]]]], dtype=torch.uint8)
    masks_bkxyz = condition(labels_bxyz, 3)
    assert masks_bkxyz[0, :, 0, 0].tolist() == [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 0, 1]]


def test_intensities_are_whole_and_zero_outside_of_the_body():
    image_xyz = np.array([[[LOW - 1, LOW, 0.0, 0.0]]], np.float32)
    body_xyz = np.array([[[True, True, True, False]]])
    assert as_intensities(image_xyz, body_xyz).tolist() == [[[1, 1, 1 - LOW * LEVELS, 0]]]
