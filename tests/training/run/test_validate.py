import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from segcube.core import EnvironmentFault, RunSettings, UsageError
from segcube.inference.folder import Request, run_folder
from segcube.training.cases import load_folds, write_folds
from segcube.training.run import (
    CollectOptions,
    RunFolder,
    TrainOptions,
    ValidateOptions,
    collect_run,
    read_dataset,
    train_fold,
    trained_folds,
    validate_run,
)
from segcube.training.run.validate import read_fold_scores

from .small import prepared_run

OPTIONS = ValidateOptions(device="cpu", pictures=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = prepared_run(tmp_path_factory.mktemp("trained"))
    for fold in (0, 1):
        train_fold(run, fold, TrainOptions(device="cpu"))
    return run


@pytest.fixture(scope="module")
def validated(trained, tmp_path_factory):
    run = RunFolder(shutil.copytree(trained.root, tmp_path_factory.mktemp("validated") / "run"))
    return run, validate_run(run, options=OPTIONS)


def test_each_case_is_scored_by_the_fold_that_did_not_train_on_it(validated):
    run, evaluation = validated
    assert sorted(evaluation.cases) == [f"MBAS_{n:03d}" for n in (1, 2, 3, 4)]
    for fold in (0, 1):
        folder = run.validated(fold)
        maps = sorted(file.name for file in folder.maps.iterdir())
        assert len(maps) == 2
        assert len(list(folder.pictures.iterdir())) == 1
    together = json.loads((run.validation / "scores.json").read_text())
    assert together["cases"].keys() == evaluation.cases.keys()


def test_the_submission_of_one_fold_predicts_the_same_bytes(validated, trained, tmp_path):
    run, _ = validated
    collect_run(run, tmp_path / "weights", CollectOptions(folds=[0]))
    data = tmp_path / "data"
    data.mkdir()
    maps = list(run.validated(0).maps.iterdir())
    for file in maps:
        name = file.name.replace("_label", "_gt")
        shutil.copy(trained.root.parent / "data" / name, data / name)
    settings = RunSettings(device="cpu")
    assert run_folder(Request(data, tmp_path / "maps", tmp_path / "weights", settings)) == 0
    for file in maps:
        assert (tmp_path / "maps" / file.name).read_bytes() == file.read_bytes()


def test_maps_of_the_same_weights_are_kept_and_those_of_others_are_not(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "run"))
    validate_run(run, [0], OPTIONS)
    report = run.validated(0).report
    validate_run(run, [0], OPTIONS)
    assert [case["status"] for case in json.loads(report.read_text())["cases"]] == ["kept", "kept"]
    train_fold(run, 0, TrainOptions(device="cpu", steps=6))
    assert dict(read_fold_scores(run, [0], "final")) == {}
    validate_run(run, [0], OPTIONS)
    assert [case["status"] for case in json.loads(report.read_text())["cases"]] == ["done", "done"]
    assert list(dict(read_fold_scores(run, [0], "final"))) == [0]


def test_a_validation_that_is_killed_leaves_no_scores_of_the_weights_of_before(
    trained, tmp_path, monkeypatch
):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "run"))
    validate_run(run, [0], OPTIONS)
    train_fold(run, 0, TrainOptions(device="cpu", steps=6))

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("segcube.training.run.validate.evaluate_maps", killed)
    with pytest.raises(KeyboardInterrupt):
        validate_run(run, [0], OPTIONS)
    # The maps are of the new weights already
    assert not run.validated(0).summary.exists()


def test_weights_that_changed_since_the_training_are_refused(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "run"))
    content = bytearray(run.fold(0).final.read_bytes())
    content[-3] ^= 1
    run.fold(0).final.write_bytes(content)
    for use in (lambda: validate_run(run, [0], OPTIONS), lambda: collect_run(run, tmp_path / "weights")):
        with pytest.raises(
            EnvironmentFault, match=r"final\.safetensors: is not the file that the training wrote"
        ):
            use()


def test_weights_of_another_plan_or_split_are_refused(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "run"))
    plan = run.plan.read_text()
    run.plan.write_text(plan.replace("scheme: zscore", "scheme: none"))
    for use in (lambda: validate_run(run, [0], OPTIONS), lambda: collect_run(run, tmp_path / "weights")):
        with pytest.raises(EnvironmentFault, match=r"trained with another plan;.*--fresh"):
            use()
    run.plan.write_text(plan)
    # The folds in the other order: each would be scored on its training cases
    folds = load_folds(run.folds)
    write_folds(folds.model_copy(update={"validation": folds.validation[::-1]}), run.folds)
    with pytest.raises(EnvironmentFault, match="trained with another split"):
        validate_run(run, [0], OPTIONS)


def test_a_fold_without_a_valid_origin_is_refused(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "run"))
    run.fold(0).origin.write_text("{")
    with pytest.raises(
        EnvironmentFault, match=r"origin\.json: is not what a training wrote;.*--fold 0 --fresh"
    ):
        validate_run(run, [0], OPTIONS)
    run.fold(0).origin.unlink()
    with pytest.raises(EnvironmentFault, match=r"no such file; segcube train .* --fold 0 writes it"):
        validate_run(run, [0], OPTIONS)
    train_fold(run, 0, TrainOptions(device="cpu"))
    validate_run(run, [0], OPTIONS)


def test_scores_of_other_labels_are_left_out(tmp_path):
    run = prepared_run(tmp_path)
    train_fold(run, 0, TrainOptions(device="cpu"))
    validate_run(run, [0], OPTIONS)
    assert list(dict(read_fold_scores(run, [0], "final"))) == [0]
    label = read_dataset(run).label(load_folds(run.folds).split(0).validation[0])
    image = nib.load(label)
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), label)
    assert dict(read_fold_scores(run, [0], "final")) == {}


def test_scores_of_some_folds_are_not_those_of_all(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "run"))
    for folds, together in (([0], False), ([0, 1], True), ([1], False)):
        validate_run(run, folds, OPTIONS)
        assert (run.validation / "scores.json").exists() == together
    assert (run.validated(0).root / "scores.json").exists()


def test_ignored_voxels_count_as_background_in_both_maps(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "run"))
    labels = tmp_path / "labels"
    labels.mkdir()
    dataset = run.dataset.read_text()
    for number in (1, 2, 3, 4):
        source = trained.root.parent / "data" / f"MBAS_{number:03d}_label.nii.gz"
        image = nib.load(source)
        ignored = np.full(image.shape, 9, np.uint8)
        nib.save(nib.Nifti1Image(ignored, image.affine), labels / source.name)
        dataset = dataset.replace(str(source), str(labels / source.name))
    run.dataset.write_text(dataset.replace("ignore_value: null", "ignore_value: 9"))
    evaluation = validate_run(run, [0], OPTIONS)
    # Nothing is left to find, and nothing that is found counts
    assert all(row["dice"] == 1 for scores in evaluation.cases.values() for row in scores.regions.values())


def test_a_fold_without_weights_or_cases_is_refused(trained, tmp_path):
    run = RunFolder(shutil.copytree(trained.root, tmp_path / "run"))
    with pytest.raises(UsageError, match="fold all has no validation cases"):
        validate_run(run, ["all"], OPTIONS)
    run.fold(1).final.unlink()
    assert trained_folds(run) == [0]
    with pytest.raises(UsageError, match="fold 5; expected 0 to 1, or all"):
        collect_run(run, tmp_path / "weights", CollectOptions(folds=[5]))
    with pytest.raises(EnvironmentFault, match=r"has not ended.*--fold 1"):
        validate_run(run, [0, 1], OPTIONS)


def test_the_card_holds_the_scores_out_of_fold(validated, tmp_path):
    run, evaluation = validated
    collect_run(run, tmp_path / "weights", CollectOptions(licence="CC-BY-4.0"))
    card = (tmp_path / "weights/MODEL_CARD.md").read_text()
    dice = [evaluation.mean[region]["dice"] for region in ("wall", "RA", "LA")]
    row = next(line for line in card.splitlines() if line.startswith("| all |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == "4"
    assert [float(cell) for cell in cells[2::2]] == pytest.approx(dice, abs=6e-4)
    assert "Licence of the weights: CC-BY-4.0" in card
    assert card.count("FILL IN") == 3
    assert (tmp_path / "weights/curves_fold_1.png").is_file()


def test_folds_that_were_not_validated_are_named(trained, tmp_path):
    collect_run(trained, tmp_path / "weights")
    card = (tmp_path / "weights/MODEL_CARD.md").read_text()
    assert "were not validated" in card
