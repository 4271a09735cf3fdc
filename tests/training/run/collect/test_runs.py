import shutil

import numpy as np
import pytest
import yaml

from segcube.core import Box, UsageError
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import load_for_challenge
from segcube.tools.tune import TuneRequest, read_inputs, tune_inputs, tuned_block
from segcube.tools.tune.cases import read_saved
from segcube.training.recipes import load_recipe
from segcube.training.run import (
    CollectOptions,
    RunFolder,
    TrainOptions,
    TunedValues,
    ValidateOptions,
    collect_runs,
    plan_run,
    prepare_run,
    read_tuned,
    train_fold,
    validate_run,
)

from ..small import OVERRIDES, SHAPE, prepared_run, request_of, trained_run

CPU = ValidateOptions(device="cpu", save_probabilities=True, pictures=0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of the same cases, trained for different steps and validated."""
    base = prepared_run(tmp_path_factory.mktemp("runs"))
    other = RunFolder(shutil.copytree(base.root, base.root.with_name("medium")))
    for run, steps in ((base, 4), (other, 8)):
        for fold in (0, 1):
            train_fold(run, fold, TrainOptions(device="cpu", steps=steps))
        validate_run(run, (), CPU)
    return base, other


def test_runs_become_branches_of_one_submission(runs, tmp_path):
    submission = collect_runs(runs, tmp_path / "both")
    loaded = load_for_challenge(tmp_path / "both")
    assert submission.name == "both"
    files = [[member.file for member in branch.members] for branch in loaded.submission.stages[0].branches]
    assert files == [
        ["run_fold_0.safetensors", "run_fold_1.safetensors"],
        ["medium_fold_0.safetensors", "medium_fold_1.safetensors"],
    ]
    card = (tmp_path / "both/MODEL_CARD.md").read_text()
    assert "## Run run" in card
    assert "## Run medium" in card
    assert card.count("| all | 4 |") == 2
    assert (tmp_path / "both/medium_curves_fold_1.png").is_file()


def test_tuned_weights_are_shared_by_the_folds_of_their_run(runs, tmp_path):
    weights = {"run": {"wall": 0.5, "RA": 1, "LA": 0}, "medium": {"wall": 0.5, "RA": 0, "LA": 1}}
    weights = {run: {"background": 1, **row} for run, row in weights.items()}
    tuned = TunedValues.model_validate({"weights": weights})
    submission = collect_runs(runs, tmp_path / "both", CollectOptions(tuned=tuned))
    first, second = (branch.members[0].weight for branch in submission.stages[0].branches)
    assert first == {"background": 0.5, "wall": 0.25, "RA": 0.5, "LA": 0}
    assert second["LA"] == 0.5
    with pytest.raises(UsageError, match="the tuned weights are of run, medium; expected of the runs run"):
        collect_runs(runs[:1], tmp_path / "one", CollectOptions(tuned=tuned))


def test_runs_of_one_name_or_of_other_challenges_are_refused(runs, tmp_path):
    with pytest.raises(UsageError, match="two runs are named run"):
        collect_runs([runs[0], runs[0]], tmp_path / "both")
    other = RunFolder(tmp_path / "other")
    challenge = load_challenge("mbas2024").model_dump(mode="json") | {"key": "hearts"}
    file = tmp_path / "hearts.yaml"
    file.write_text(yaml.safe_dump(challenge))
    plan_run(request_of(runs[0].root.parent / "data", challenge=str(file)), other)
    assert all(outcome.error is None for outcome in prepare_run(other))
    train_fold(other, 0, TrainOptions(device="cpu", steps=1))
    with pytest.raises(UsageError, match="a run of hearts beside one of mbas2024"):
        collect_runs([runs[0], other], tmp_path / "both")


def test_weights_are_tuned_on_probabilities_out_of_fold(runs, tmp_path):
    request = TuneRequest(runs=tuple(run.root for run in runs), folds=2)
    inputs = read_inputs(request)
    assert [case.name for case in inputs.cases] == [f"MBAS_{n:03d}" for n in (1, 2, 3, 4)]
    assert inputs.space.members == ("run", "medium")
    tuned = tune_inputs(inputs, request)
    file = tmp_path / "block.yaml"
    file.write_text(tuned_block(tuned, inputs))
    assert yaml.safe_load(file.read_text()).keys() <= {"postprocess", "weights"}
    collect_runs(runs, tmp_path / "both", CollectOptions(tuned=read_tuned(file)))


def test_runs_of_labels_and_of_regions_are_tuned_in_regions(runs, tmp_path):
    changes = OVERRIDES | {"preprocessing": {"spacing": [1, 1, 1], "outputs": "regions"}}
    request = request_of(runs[0].root.parent / "data", recipe=load_recipe("fast", changes))
    other = trained_run(request, RunFolder(tmp_path / "regions"))
    validate_run(other, (), CPU)
    request = TuneRequest(runs=(runs[0].root, other.root), folds=2)
    inputs = read_inputs(request)
    case = inputs.cases[0]
    assert (case.kind, case.names) == ("regions", ("wall", "RA", "LA"))
    (saved,) = runs[0].validation.glob(f"*/probabilities/{case.name}.npz")
    labels = read_saved(saved)
    frame = Box((0, 0, 0), SHAPE)
    assert case.members_mkxyz.shape[2:] == SHAPE
    np.testing.assert_allclose(case.members_mkxyz[0], labels.within(frame)[1:], atol=1e-3)
    file = tmp_path / "block.yaml"
    file.write_text(tuned_block(tune_inputs(inputs, request), inputs))
    submission = collect_runs((runs[0], other), tmp_path / "both", CollectOptions(tuned=read_tuned(file)))
    assert submission.stages[0].names == case.names


def test_probabilities_of_other_weights_are_refused(runs, tmp_path):
    run = RunFolder(shutil.copytree(runs[0].root, tmp_path / "run"))
    train_fold(run, 0, TrainOptions(device="cpu", steps=6))
    with pytest.raises(UsageError, match=r"fold 0 has no out-of-fold probabilities of its weights"):
        read_inputs(TuneRequest(runs=(run.root,)))


def test_probabilities_of_earlier_weights_are_refused(runs, tmp_path):
    run = RunFolder(shutil.copytree(runs[0].root, tmp_path / "run"))
    train_fold(run, 0, TrainOptions(device="cpu", steps=6))
    validate_run(run, [0], ValidateOptions(device="cpu", pictures=0))
    with pytest.raises(UsageError, match="no out-of-fold probabilities of its weights"):
        read_inputs(TuneRequest(runs=(run.root,)))
    validate_run(run, [0], CPU)
    # Scored again without saving them, they still are of these weights
    validate_run(run, [0], ValidateOptions(device="cpu", pictures=0))
    assert read_inputs(TuneRequest(runs=(run.root, runs[1].root))).cases


def test_weights_of_other_outputs_are_refused(runs, tmp_path):
    tuned = TunedValues.model_validate({"weights": {"run": {"WT": 1.0}}})
    with pytest.raises(UsageError, match=r"weight of fold_0\.safetensors has keys"):
        collect_runs(runs[:1], tmp_path / "one", CollectOptions(tuned=tuned))
