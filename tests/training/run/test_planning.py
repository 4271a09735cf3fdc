import csv
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from segcube.core import EnvironmentFault, UsageError
from segcube.spec.challenges import load_challenge
from segcube.training.cases import DataError, ExtraData, ExtraRules, load_folds
from segcube.training.plan import read_plan
from segcube.training.recipes import load_recipe
from segcube.training.run import RunFolder, plan_run, prepare_run
from segcube.training.run.cases import read_dataset, run_challenge
from segcube.training.run.fold_data import open_fold

from ..cases.hearts import write_hearts
from .small import OVERRIDES, request_of, write_data


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


def test_a_run_holds_cases_folds_and_the_plan(data, run):
    plan = plan_run(request_of(data), run)
    assert read_plan(run.plan) == plan
    assert plan.patch == (8, 16, 16)
    assert plan.estimate is not None
    assert plan.estimate.device == "cpu"
    dataset = read_dataset(run)
    assert [case.name for case in dataset.cases] == [f"MBAS_{n:03d}" for n in (1, 2, 3, 4)]
    assert dataset.label("MBAS_002") == data / "MBAS_002_label.nii.gz"
    folds = load_folds(run.folds)
    assert sorted(name for names in folds.validation for name in names) == list(folds.cases)


def test_all_problems_are_listed_and_nothing_is_planned(data, run):
    file = data / "MBAS_002_label.nii.gz"
    labels = nib.load(file)
    nib.save(nib.Nifti1Image(np.asarray(labels.dataobj) + 7, labels.affine), file)
    (data / "MBAS_003_label.nii.gz").unlink()
    with pytest.raises(DataError, match=r"2 errors; all problems are listed in .*problems\.csv") as caught:
        plan_run(request_of(data), run)
    with run.problems.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    found = {(row["code"], row["case"]) for row in rows if row["kind"] == "error"}
    assert found == {("LABEL_VALUE", "MBAS_002"), ("LABEL_MISSING", "MBAS_003")}
    assert {problem.code.value for problem in caught.value.problems} == {"LABEL_VALUE", "LABEL_MISSING"}
    assert not run.plan.exists()


def test_the_same_request_keeps_a_plan_and_another_one_is_refused(data, run):
    plan = plan_run(request_of(data), run)
    stamp = run.plan.stat().st_mtime_ns
    assert plan_run(request_of(data), run) == plan
    assert run.plan.stat().st_mtime_ns == stamp
    other = load_recipe("fast", OVERRIDES | {"seed": 9})
    with pytest.raises(UsageError, match=r"other recipe.*--fresh"):
        plan_run(request_of(data, recipe=other), run)
    assert plan_run(request_of(data, recipe=other), run, fresh=True).recipe.seed == 9


def test_more_steps_are_planned_in_the_same_folder(data, run):
    before = plan_run(request_of(data), run)
    after = plan_run(request_of(data, recipe=load_recipe("fast", OVERRIDES | {"steps": 8})), run)
    assert read_plan(run.plan) == after
    assert (before.recipe.steps, after.recipe.steps) == (4, 8)
    assert after.estimate.hours == pytest.approx(2 * before.estimate.hours)


@pytest.mark.parametrize(("changes", "found"), [({"folds": 4}, "split"), ({"ignore": 9}, "ignore label")])
def test_another_split_or_ignore_label_is_refused(changes, found, data, run):
    plan_run(request_of(data), run)
    with pytest.raises(UsageError, match=f"holds a run with other {found}"):
        plan_run(request_of(data, **changes), run)


def test_other_label_maps_are_refused(data, run, tmp_path):
    plan_run(request_of(data), run)
    for file in data.glob("*_label*"):
        (tmp_path / "labels").mkdir(exist_ok=True)
        file.rename(tmp_path / "labels" / file.name)
    with pytest.raises(UsageError, match="holds a run with other cases or label maps"):
        plan_run(request_of(data, labels=tmp_path / "labels"), run)


def test_a_new_case_is_refused(data, run):
    plan_run(request_of(data), run)
    write_data(data, 5)
    with pytest.raises(UsageError, match="other cases or label maps, split"):
        plan_run(request_of(data), run)


def test_folds_of_a_file_are_used(data, run, tmp_path):
    file = tmp_path / "splits_final.json"
    names = [f"MBAS_{n:03d}" for n in (1, 2, 3, 4)]
    file.write_text(json.dumps([{"train": names[1:], "val": names[:1]}]))
    plan_run(request_of(data, folds=file), run)
    assert load_folds(run.folds).split(0).validation == ("MBAS_001",)


def test_fewer_patients_than_five_get_a_fold_each(data, run):
    plan_run(request_of(data, folds=None), run)
    assert len(load_folds(run.folds).validation) == 4


def test_a_challenge_of_the_user_is_copied_to_the_run(data, run, tmp_path):
    challenge = load_challenge("mbas2024")
    content = challenge.model_dump(mode="json", exclude_defaults=True) | {"key": "own"}
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(content, sort_keys=False))
    plan = plan_run(request_of(data, challenge=str(own)), run)
    assert plan.challenge == "challenge.yaml"
    own.unlink()
    assert run_challenge(run, plan).key == "own"
    with pytest.raises(UsageError, match="other challenge"):
        plan_run(replace(request_of(data), challenge="mbas2024"), run)


def test_what_is_missing_is_found_before_a_case_is_read(data, run, tmp_path):
    (data / "MBAS_001_label.nii.gz").write_bytes(b"")
    with pytest.raises(UsageError, match=r"splits\.json: no such file"):
        plan_run(request_of(data, folds=tmp_path / "splits.json"), run)
    with pytest.raises(UsageError, match="device 'gpu'"):
        plan_run(request_of(data, device="gpu"), run)


def test_a_folder_of_something_else_is_refused(data, run):
    run.root.mkdir()
    (run.root / "folds.yaml").write_text("mine")
    with pytest.raises(UsageError, match="expected a new or empty folder"):
        plan_run(request_of(data), run)
    assert run.folds.read_text() == "mine"


def test_data_that_were_corrected_are_planned_in_the_same_folder(data, run):
    label = (data / "MBAS_001_label.nii.gz").read_bytes()
    (data / "MBAS_001_label.nii.gz").write_bytes(b"")
    with pytest.raises(DataError):
        plan_run(request_of(data), run)
    (data / "MBAS_001_label.nii.gz").write_bytes(label)
    plan_run(request_of(data), run)
    assert "MBAS_001" not in {
        row.split(",")[2] for row in run.problems.read_text().splitlines() if "error" in row
    }


@pytest.fixture
def hearts(tmp_path):
    return write_hearts(tmp_path / "hearts")


def extended(data, hearts, vein):
    """A request with cases of another challenge, whose label `vein` the run's does not have."""
    return request_of(data, extra=(hearts,), extra_rules=ExtraRules(label_names={"vein": vein}))


def test_further_data_are_cached_with_the_values_of_the_run(data, hearts, run):
    request = extended(data, hearts, "wall")
    plan = plan_run(request, run)
    dataset = read_dataset(run)
    assert dataset.sources[0].labels["vein"] == "wall"
    assert (run.root / dataset.sources[0].challenge).read_text() == Path(
        request.extra[0].challenge
    ).read_text()
    assert all(outcome.error is None for outcome in prepare_run(run))
    assert load_folds(run.folds).training_only == ("HEART_001", "HEART_002", "HEART_003")
    fold = open_fold(run, 0)
    walls = {case.name: np.count_nonzero(case.labels_xyz == 1) for case in fold.cases}
    assert walls["HEART_002"] == walls["HEART_001"] + 1
    # The same command reports the plan that is there
    assert plan_run(request, run) == plan


def test_other_further_data_are_refused(data, hearts, run):
    plan_run(extended(data, hearts, "wall"), run)
    with pytest.raises(UsageError, match="holds a run with other further data"):
        plan_run(extended(data, hearts, "background"), run)
    with pytest.raises(UsageError, match="holds a run with other further data"):
        plan_run(request_of(data), run)


def test_a_cache_with_other_label_values_is_refused_and_prepared_anew(data, hearts, run):
    plan_run(extended(data, hearts, "wall"), run)
    assert [outcome.written for outcome in prepare_run(run)] == [True] * 7
    plan_run(extended(data, hearts, "background"), run, fresh=True)
    with pytest.raises(EnvironmentFault, match="HEART_001 changed: it was prepared with other label values"):
        open_fold(run, 0)
    written = [outcome.name for outcome in prepare_run(run) if outcome.written]
    assert written == ["HEART_001", "HEART_002", "HEART_003"]
    assert len(open_fold(run, 0).cases) == 5


def test_a_union_is_one_region_of_all_labels(data, run):
    recipe = load_recipe("fast", OVERRIDES | {"preprocessing": {"union": "heart", "outputs": "regions"}})
    request = request_of(data, recipe=recipe)
    plan = plan_run(request, run)
    assert plan.branch.outputs.names == ("heart",)
    challenge = run_challenge(run, plan)
    assert challenge.regions == {"heart": ("wall", "RA", "LA")}
    assert challenge.key == "mbas2024-heart"
    # The same command reports the plan that is there
    assert plan_run(request, run) == plan


@pytest.mark.parametrize("network", ["MedNeXtV1MBAS", "MedNeXtV2MBAS", "ResidualEncoderUNet"])
def test_a_network_with_its_stages_given_is_planned_as_it_is(network, data, run):
    blocks = {"n_blocks_per_stage": [1, 1]}
    is_unet = network == "ResidualEncoderUNet"
    blocks |= {"n_conv_per_stage_decoder": [1]} if is_unet else {"exp_ratio_per_stage": [2, 2]}
    stages = {"n_stages": 2, "features_per_stage": [4, 8], "kernel_sizes": [[1, 3, 3], [3, 3, 3]]}
    arguments = stages | {"strides": [[1, 1, 1], [1, 2, 2]]} | blocks
    planning = {"rules": "fixed", "patch": [5, 8, 8], "batch": 2}
    recipe = load_recipe("fast", {"network": {"name": network, "arguments": arguments}, "planning": planning})
    plan = plan_run(request_of(data, recipe=recipe), run)
    assert (plan.network, plan.patch) == (network, (5, 8, 8))
    assert plan.arguments["input_channels"] == 1


def test_the_plan_of_another_run_is_used_with_other_outputs(data, run, tmp_path):
    first = plan_run(request_of(data), run)
    recipe = load_recipe("fast", OVERRIDES | {"preprocessing": {"union": "heart", "outputs": "regions"}})
    second = plan_run(request_of(data, recipe=recipe, plans=run.plan), RunFolder(tmp_path / "second"))
    assert second.origin == "plan.yaml of the run run"
    assert second.branch.outputs.names == ("heart",)
    same = {key for key in first.arguments if first.arguments[key] == second.arguments[key]}
    assert first.arguments.keys() - same == {"num_classes"}
    assert (second.patch, second.batch, second.spacing) == (first.patch, first.batch, first.spacing)


def test_a_corrected_challenge_of_further_data_is_another_run(data, hearts, run):
    plan_run(extended(data, hearts, "wall"), run)
    file = Path(hearts.challenge)
    file.write_text(file.read_text().replace("LA: 1, RA: 2", "LA: 2, RA: 1"))
    with pytest.raises(UsageError, match="other challenge of further data"):
        plan_run(extended(data, hearts, "wall"), run)


def test_the_challenge_of_a_run_may_be_planned_from_its_own_folder(data, run, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(load_challenge("mbas2024").model_dump(mode="json") | {"key": "mine"}))
    plan_run(request_of(data, challenge=str(file)), run)
    plan_run(request_of(data, challenge=str(run.root / "challenge.yaml")), run, fresh=True)
    assert run_challenge(run, read_plan(run.plan)).key == "mine"


@pytest.mark.parametrize(
    ("preprocessing", "message"),
    [
        ({"union": "Whole Heart"}, "Whole Heart"),
        ({"union": "background"}, "no region"),
        ({"union": "heart", "outputs": "labels"}, "expected auto or regions"),
    ],
)
def test_unions_that_cannot_be_trained_are_refused(preprocessing, message):
    with pytest.raises(UsageError, match=message):
        load_recipe("fast", {"preprocessing": preprocessing})


def test_a_union_is_a_region_by_itself(data, run):
    recipe = load_recipe("fast", OVERRIDES | {"preprocessing": {"union": "heart"}})
    assert plan_run(request_of(data, recipe=recipe), run).branch.outputs.kind == "regions"


def test_ignored_voxels_of_further_data_of_the_same_challenge(data, run, tmp_path):
    other = write_data(tmp_path / "other", 6)
    file = other / "MBAS_005_label.nii.gz"
    labels = nib.load(file)
    voxels = np.asarray(labels.dataobj).copy()
    voxels[0, 0, 0] = 9
    nib.save(nib.Nifti1Image(voxels, labels.affine), file)
    plan_run(request_of(data, ignore=9, extra=(ExtraData(other),)), run)
    assert len(read_dataset(run).cases) == 6
