import csv
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from segcube.core import EnvironmentFault, UsageError
from segcube.training.cases import Folds, write_folds
from segcube.training.run import RunFolder, StartRequest, TrainOptions, collect_run, train_fold

from .small import prepared_run

CPU = TrainOptions(device="cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A run whose fold 0 is trained."""
    run = prepared_run(tmp_path_factory.mktemp("base"))
    train_fold(run, 0, CPU)
    return run


@pytest.fixture
def run(base, tmp_path):
    """A run of the same cases without a trained fold."""
    copy = RunFolder(shutil.copytree(base.root, tmp_path / "run"))
    shutil.rmtree(copy.fold(0).root)
    return copy


def started(place, *freeze, reset=(), **changes):
    return replace(CPU, start=StartRequest(place, freeze, tuple(reset)), **changes)


def final(run):
    return load_file(run.fold(0).final)


def table(run):
    with run.fold(0).start_table.open(newline="") as opened:
        return {row["tensor"]: row for row in csv.DictReader(opened)}


def test_frozen_parameters_stay_those_of_the_trained_run(base, run):
    train_fold(run, 0, started(base.root, "body"))
    before, after = final(base), final(run)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("decoder.seg_layers") for name in changed)
    rows = table(run)
    assert {row["start"] for row in rows.values()} == {"copied"}
    assert {name for name, row in rows.items() if row["frozen"] == "no"} >= changed


def test_heads_start_anew_if_they_are_reset(base, run):
    train_fold(run, 0, started(base.root, reset=["heads"]))
    heads = {name for name, row in table(run).items() if row["start"] == "fresh"}
    assert heads
    assert all(name.startswith("decoder.seg_layers") for name in heads)


def test_a_training_goes_on_without_the_options_to_the_same_bytes(base, run, tmp_path):
    whole = RunFolder(shutil.copytree(run.root, tmp_path / "whole"))
    train_fold(whole, 0, started(base.root, "encoder.*"))
    source = RunFolder(shutil.copytree(base.root, tmp_path / "source"))
    train_fold(run, 0, started(source.root, "encoder.*", steps=2))
    shutil.rmtree(source.root)
    train_fold(run, 0, CPU)
    assert run.fold(0).final.read_bytes() == whole.fold(0).final.read_bytes()


def test_a_fold_that_was_started_otherwise_is_refused(base, run):
    train_fold(run, 0, started(base.root, "body", steps=2))
    with pytest.raises(EnvironmentFault, match=r"started from .*--freeze body; expected the same"):
        train_fold(run, 0, started(base.root))
    with pytest.raises(EnvironmentFault, match="the fold was started from"):
        train_fold(run, 0, started(None, "encoder.*"))
    train_fold(run, 0, replace(CPU, fresh=True))
    assert not run.fold(0).start.exists()
    with pytest.raises(EnvironmentFault, match="the fold was started from random weights"):
        train_fold(run, 0, started(base.root))


def test_a_start_that_was_interrupted_before_a_state_needs_the_same_weights(base, run, tmp_path, monkeypatch):
    source = RunFolder(shutil.copytree(base.root, tmp_path / "source"))

    def interrupt(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("segcube.training.run.fold.train", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_fold(run, 0, started(source.root))
    train_fold(source, 0, replace(CPU, steps=6))
    with pytest.raises(EnvironmentFault, match="the weights changed since the fold was started"):
        train_fold(run, 0, CPU)


def test_weights_of_a_validation_patient_are_refused(run):
    """Fold 0 of the other split trained what this one validates."""
    first, second = ("MBAS_001", "MBAS_002"), ("MBAS_003", "MBAS_004")
    folds = Folds.model_validate({"source": "test", "validation": (first, second)})
    source = RunFolder(shutil.copytree(run.root, run.root.with_name("source")))
    write_folds(folds, source.folds)
    train_fold(source, 0, CPU)
    write_folds(folds.model_copy(update={"validation": (second, first)}), run.folds)
    message = (
        r"was trained on MBAS_003, and fold 0 validates MBAS_003 of the same patient \(2 patients in all\)"
    )
    with pytest.raises(UsageError, match=message):
        train_fold(run, 0, started(source.root))
    # Without validation there is no leak
    train_fold(run, "all", started(source.root / "fold_0", steps=1))


def test_a_member_of_a_submission_is_taken(base, run, tmp_path):
    collect_run(base, tmp_path / "weights")
    train_fold(run, 0, started(tmp_path / "weights", "body"))
    before, after = final(base), final(run)
    same = [name for name in before if not name.startswith("decoder.seg_layers")]
    assert all(torch.equal(before[name], after[name]) for name in same)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nothing", "nothing: no trained weights; expected a folder with submission.yaml"),
        ("model.pth", "segcube import makes a submission of it"),
        ("run", r"the training of this fold has not ended.*run/fold_N"),
    ],
)
def test_other_places_are_refused(run, tmp_path, place, message):
    (tmp_path / "model.pth").touch()
    with pytest.raises((UsageError, EnvironmentFault), match=message):
        train_fold(run, 0, started(tmp_path / place))


def test_options_without_weights_are_refused(run):
    with pytest.raises(UsageError, match="--freeze or --reset without trained weights"):
        train_fold(run, 0, started(None, "body"))


@pytest.mark.parametrize(
    ("init", "freeze", "message"),
    [
        ("nothing", (), "no trained weights"),
        ("base", ("decoders.*",), "matches no tensor"),
        ("run/fold_0/final.safetensors", (), "is removed by --fresh"),
    ],
)
def test_a_refused_start_removes_nothing(base, run, tmp_path, init, freeze, message):
    train_fold(run, 0, CPU)
    before = run.fold(0).final.read_bytes()
    place = base.root if init == "base" else tmp_path / init
    with pytest.raises(UsageError, match=message):
        train_fold(run, 0, started(place, *freeze, fresh=True))
    assert run.fold(0).final.read_bytes() == before
    assert run.fold(0).log.is_file()


def test_weights_whose_own_start_trained_a_validation_patient_are_refused(run):
    """Fold 0 of `first` trains what `run` validates, and `second` starts from it."""
    one, two = ("MBAS_001", "MBAS_002"), ("MBAS_003", "MBAS_004")
    folds = Folds.model_validate({"source": "test", "validation": (one, two)})
    first, second = (
        RunFolder(shutil.copytree(run.root, run.root.with_name(name))) for name in ("first", "second")
    )
    write_folds(folds, first.folds)
    train_fold(first, 0, CPU)
    write_folds(folds.model_copy(update={"validation": (two, one)}), run.folds)
    write_folds(folds.model_copy(update={"validation": (one, two)}), second.folds)
    train_fold(second, "all", started(first.root / "fold_0", steps=1))
    with pytest.raises(UsageError, match="was trained on MBAS_00"):
        train_fold(run, 0, started(second.root / "fold_all"))


def test_a_source_that_was_split_anew_is_refused(base, run, tmp_path):
    source = RunFolder(shutil.copytree(base.root, tmp_path / "source"))
    one, two = ("MBAS_001", "MBAS_002"), ("MBAS_003", "MBAS_004")
    write_folds(Folds.model_validate({"source": "test", "validation": (one, two)}), source.folds)
    with pytest.raises(EnvironmentFault, match="trained with another split"):
        train_fold(run, 0, started(source.root))
