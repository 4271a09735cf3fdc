import pytest

from segcube.core import Case, EnvironmentFault, UsageError
from segcube.networks import build_network, load_network, save_network
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import load_for_challenge
from segcube.training.plan import make_plan
from segcube.training.recipes import load_recipe
from segcube.training.run.cases import CaseEntry, DatasetFile, read_dataset, write_dataset
from segcube.training.run.collect.members import write_members
from segcube.training.run.folder import RunFolder

from ...plan.make import fingerprint_of

CHALLENGE = load_challenge("mbas2024")


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def plan():
    recipe = load_recipe("fast", {"planning": {"rules": "fixed", "patch": [32, 32, 16], "batch": 1}})
    return make_plan(fingerprint_of(CHALLENGE), CHALLENGE, recipe)


def test_folds_become_members_of_a_valid_submission(run, plan, tmp_path):
    for fold in (0, 1):
        save_network(
            build_network(plan.network, plan.arguments), plan.network, plan.arguments, run.fold(fold).final
        )
    out = tmp_path / "out"
    out.mkdir()
    write_members(run, plan, (0, 1), out)
    loaded = load_for_challenge(out)
    assert loaded.submission.name == "run"
    assert [member.file for member in loaded.submission.members] == [
        "fold_0.safetensors",
        "fold_1.safetensors",
    ]
    assert loaded.submission.stages[0].branches[0].window.size == plan.patch
    for member in loaded.submission.members:
        load_network(out / member.file, member.sha256)


def test_a_fold_without_final_weights_is_refused(run, plan, tmp_path):
    with pytest.raises(EnvironmentFault, match=r"has not ended.*segcube train .*run --fold 1"):
        write_members(run, plan, (1,), tmp_path)


def test_the_dataset_file_is_read_as_written(run, tmp_path):
    entry = CaseEntry(
        name="é", files={"lge": tmp_path / "a.nii.gz"}, label=tmp_path / "b.nii.gz", patient="p"
    )
    dataset = DatasetFile(data=tmp_path, challenge="mbas2024", reference="lge", cases=(entry,))
    write_dataset(dataset, run)
    run.plan.touch()
    assert read_dataset(run) == dataset
    assert dataset.case("é") == Case("é", {"lge": tmp_path / "a.nii.gz"}, "lge")
    with pytest.raises(UsageError, match="unknown case x"):
        dataset.case("x")


def test_a_folder_without_a_plan_is_no_run(run):
    with pytest.raises(UsageError, match="segcube plan writes it"):
        read_dataset(run)
