"""Samples train no fold that validates a patient whose case their model was trained on."""

import shutil
from dataclasses import replace

import pytest
import yaml

from segcube.core import EnvironmentFault, UsageError
from segcube.diffusion import ModelFolder, read_model_file, train_model
from segcube.training.cases import ExtraRules
from segcube.training.run import (
    RunFolder,
    TrainOptions,
    plan_run,
    prepare_run,
    sampled_validation,
    train_fold,
)

from ..training.run.small import request_of
from .tiny import CPU, planned_with, request_for, sampled


def test_samples_train_the_fold_of_their_model_and_no_other(run, model, tmp_path):
    (name,) = sampled(model, tmp_path / "samples")
    planned = planned_with(run, tmp_path / "samples", tmp_path)
    assert all(outcome.error is None for outcome in prepare_run(planned))
    train_fold(planned, 0, TrainOptions(device="cpu", steps=1))
    validated = yaml.safe_load(planned.folds.read_text())["validation"]
    assert name not in {case for cases in validated for case in cases}
    with pytest.raises(UsageError, match=r"trained on the patient of MBAS_.*, which fold 1 validates"):
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


def test_a_model_of_samples_knows_the_patients_they_were_made_from(run, model, tmp_path):
    sampled(model, tmp_path / "samples")
    planned = planned_with(run, tmp_path / "samples", tmp_path)
    folder = ModelFolder(tmp_path / "next")
    train_model(request_for(planned, fold=1), folder, replace(CPU, steps=1))
    assert set(read_model_file(model)[0].patients) <= set(read_model_file(folder)[0].patients)


def test_linked_samples_are_samples(run, model, tmp_path):
    sampled(model, tmp_path / "samples")
    linked = tmp_path / "linked"
    (linked / "data").mkdir(parents=True)
    for file in (tmp_path / "samples" / "data").glob("*.nii.gz"):
        (linked / "data" / file.name).symlink_to(file)
    shutil.copytree(tmp_path / "samples" / "labels", linked / "labels")
    shutil.copy(tmp_path / "samples" / "challenge.yaml", linked)
    with pytest.raises(UsageError, match="is a sample of a generative model, and the folder has no"):
        planned_with(run, linked, tmp_path)


def test_samples_beside_the_origin_of_others_are_refused(run, model, tmp_path):
    sampled(model, tmp_path / "one")
    sampled(model, tmp_path / "two", seed=1)
    shutil.copy(tmp_path / "one" / "data" / "origin.yaml", tmp_path / "two" / "data")
    with pytest.raises(UsageError, match="is a sample of another model, or sampled otherwise"):
        planned_with(run, tmp_path / "two", tmp_path)


def test_an_origin_whose_patients_were_edited_is_refused(run, model, tmp_path):
    sampled(model, tmp_path / "samples")
    file = tmp_path / "samples" / "data" / "origin.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"patients": ["NOBODY"]}))
    with pytest.raises(UsageError, match="is a sample of another model, or sampled otherwise"):
        planned_with(run, tmp_path / "samples", tmp_path)


def test_samples_that_were_exchanged_since_the_plan_are_not_prepared(run, model, tmp_path):
    sampled(model, tmp_path / "samples")
    planned = planned_with(run, tmp_path / "samples", tmp_path)
    other = ModelFolder(tmp_path / "other")
    train_model(request_for(run, fold=1), other, replace(CPU, steps=1))
    shutil.rmtree(tmp_path / "samples")
    sampled(other, tmp_path / "samples")
    with pytest.raises(UsageError, match="holds other samples than when the run was planned"):
        list(prepare_run(planned))


def test_the_folds_that_samples_cannot_train_are_known_before_training(run, model, tmp_path):
    sampled(model, tmp_path / "samples")
    planned = planned_with(run, tmp_path / "samples", tmp_path)
    assert [len(list(sampled_validation(planned, fold))) for fold in (0, 1)] == [0, 1]


def test_a_file_of_the_users_named_origin_is_none_of_samples(run, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(run.root.parent / "data", data)
    (data / "origin.yaml").write_text("source: a hospital\n")
    plan_run(request_of(data), RunFolder(tmp_path / "planned"))


def test_patients_of_a_model_cannot_be_edited(model, tmp_path):
    folder = ModelFolder(tmp_path / "m")
    shutil.copytree(model.root, folder.root)
    content = yaml.safe_load(folder.model.read_text()) | {"patients": ["NOBODY"]}
    folder.model.write_text(yaml.safe_dump(content))
    with pytest.raises(EnvironmentFault, match="is not what the weights were trained with"):
        sampled(folder, tmp_path / "samples")
