import hashlib
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import yaml

from segcube.core import EnvironmentFault, UsageError
from segcube.networks import load_network
from segcube.training.cases import DataError
from segcube.training.guards import lock_fold
from segcube.training.log import StepLog
from segcube.training.run import RunFolder, TrainOptions, prepare_run, read_dataset, train_fold
from segcube.training.run.cases import write_dataset
from segcube.training.run.fold_data import open_fold
from segcube.training.run.origin import trained_steps
from segcube.training.run.overfit import overfit_fold

from .small import prepared_run

CPU = TrainOptions(device="cpu")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def run(prepared, tmp_path):
    """A copy, whose data lie where the original's do."""
    return RunFolder(shutil.copytree(prepared.root, tmp_path / "run"))


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_fold_is_trained_to_its_last_step(run):
    counters = train_fold(run, 0, CPU)
    folder = run.fold(0)
    assert counters.step == 4
    records = list(StepLog(folder.log).records())
    assert [record["step"] for record in records if record["kind"] == "step"] == [1, 2, 3, 4]
    assert [record["kind"] for record in records].count("validation") == 1
    for file in (folder.final, folder.best):
        load_network(file, digest(file))
    assert json.loads(folder.environment.read_text())["device"] == "cpu"
    assert (folder.root / "progress.html").is_file()
    assert folder.first_batch.is_file()


def test_a_training_that_is_continued_ends_in_the_same_weights(run, tmp_path):
    whole = RunFolder(shutil.copytree(run.root, tmp_path / "whole"))
    train_fold(whole, 0, CPU)
    train_fold(run, 0, TrainOptions(device="cpu", steps=2))
    # The schedule of the recipe is constant: its rate does not depend on the number of steps
    train_fold(run, 0, CPU)
    assert digest(run.fold(0).final) == digest(whole.fold(0).final)


def test_a_finished_fold_is_left_and_trained_again_if_fresh(run):
    train_fold(run, 0, CPU)
    stamp = run.fold(0).final.stat().st_mtime_ns
    assert train_fold(run, 0, CPU).step == 4
    assert run.fold(0).final.stat().st_mtime_ns == stamp
    first = digest(run.fold(0).final)
    train_fold(run, 0, TrainOptions(device="cpu", fresh=True))
    assert run.fold(0).final.stat().st_mtime_ns != stamp
    assert digest(run.fold(0).final) == first


def test_the_weights_of_fewer_steps_stay_until_more_are_trained(run, monkeypatch):
    train_fold(run, 0, CPU)
    first = digest(run.fold(0).final)

    def interrupt(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("segcube.training.run.fold.train", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_fold(run, 0, TrainOptions(device="cpu", steps=6))
    assert digest(run.fold(0).final) == first
    assert trained_steps(run.fold(0)) == 4
    assert train_fold(run, 0, TrainOptions(device="cpu", steps=6)).step == 6
    assert trained_steps(run.fold(0)) == 6
    assert digest(run.fold(0).final) != first


def test_fold_all_trains_on_every_case_without_validation(run):
    train_fold(run, "all", CPU)
    assert len(open_fold(run, "all").cases) == 4
    assert not run.fold("all").best.exists()
    assert run.fold("all").final.is_file()


def test_states_of_another_split_are_refused(run):
    train_fold(run, 0, TrainOptions(device="cpu", steps=2))
    # As after an interruption: states alone
    run.fold(0).final.unlink()
    swap_cases(run)
    with pytest.raises(EnvironmentFault, match=r"another recipe, plan or split.*--fresh"):
        train_fold(run, 0, CPU)


def swap_cases(run):
    """Exchange two cases of the folds."""
    text = run.folds.read_text()
    first, second = "MBAS_003", "MBAS_001"
    swapped = text.replace(first, "x").replace(second, first).replace("x", second)
    assert swapped != text
    run.folds.write_text(swapped)


def test_a_finished_fold_of_another_split_is_refused(run):
    train_fold(run, 0, CPU)
    swap_cases(run)
    with pytest.raises(EnvironmentFault, match=r"trained with another split and .*--fold 0 --fresh"):
        train_fold(run, 0, CPU)
    train_fold(run, 0, TrainOptions(device="cpu", fresh=True))


def test_a_finished_fold_of_cases_that_changed_is_refused(tmp_path):
    run = prepared_run(tmp_path)
    train_fold(run, 0, CPU)
    label = read_dataset(run).label(open_fold(run, 0).split.training[0])
    image = nib.load(label)
    corrected_xyz = np.maximum(np.asarray(image.dataobj), 1)
    nib.save(nib.Nifti1Image(corrected_xyz, image.affine), label)
    assert all(outcome.error is None for outcome in prepare_run(run))
    with pytest.raises(EnvironmentFault, match="trained with other cached cases"):
        train_fold(run, 0, CPU)


def test_a_patient_in_training_and_validation_is_refused(run):
    dataset = read_dataset(run)
    cases = tuple(case.model_copy(update={"patient": "x"}) for case in dataset.cases)
    write_dataset(dataset.model_copy(update={"cases": cases}), run)
    with pytest.raises(DataError, match="FOLD_LEAK"):
        train_fold(run, 0, CPU)


def test_a_plateau_schedule_requires_validation_cases(run):
    text = run.plan.read_text()
    run.plan.write_text(text.replace("kind: constant", "kind: plateau"))
    with pytest.raises(UsageError, match="plateau without validation cases"):
        train_fold(run, "all", CPU)


def test_a_fold_in_use_an_unknown_one_and_a_missing_cache_are_refused(run):
    with lock_fold(run.fold(0).root), pytest.raises(UsageError, match="trains in this folder"):
        train_fold(run, 0, CPU)
    with pytest.raises(UsageError, match="0 to 1, or all"):
        train_fold(run, 7, CPU)
    assert not run.fold(7).root.exists()
    shutil.rmtree(run.cache)
    with pytest.raises(EnvironmentFault, match=r"is not cached.*segcube prepare"):
        train_fold(run, 0, CPU)


def test_a_few_patches_are_learnt(run):
    result = overfit_fold(run, 0, 1, "cpu", 200)
    assert result.dice >= 0.95
    assert not run.fold(0).final.exists()


def test_a_plan_that_may_not_be_divided_is_refused_before_patches_are_learnt(run):
    plan = yaml.safe_load(run.plan.read_text())
    plan["recipe"]["loss"]["entropy"] = "topk"
    run.plan.write_text(yaml.safe_dump(plan | {"accumulate": 2, "batch_dice": False}))
    with pytest.raises(EnvironmentFault, match="accumulate 2, though the loss"):
        overfit_fold(run, 0, 1, "cpu", 1)
