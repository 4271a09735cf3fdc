import numpy as np
import pytest
import yaml

from segcube.core import UsageError
from segcube.tools.tune import TuneRequest, read_inputs
from segcube.tools.tune.search_space import thresholds_of

NAMES = ("TC", "WT", "ET")
CASE = "BraTS-GLI-00001-000"


@pytest.fixture
def request_of(save, save_labels, tmp_path):
    """Save a case, with its members if there are any, and make the options of a tuning."""

    def make(members=(), names=NAMES, kind="regions", **options):
        for suffix in ("", *(f".{member}" for member in members)):
            save(tmp_path / "saved" / f"{CASE}{suffix}.npz", np.full((len(names), 8, 7, 6), 0.4), names, kind)
        save_labels(tmp_path / "ref" / f"{CASE}-seg.nii.gz", np.zeros((8, 7, 6)))
        return TuneRequest(tmp_path / "saved", tmp_path / "ref", **options)

    return make


def rewrite(folder, **changes):
    """Change the only stage of a submission."""
    file = folder / "submission.yaml"
    content = yaml.safe_load(file.read_text())
    content["stages"][0] |= changes
    file.write_text(yaml.safe_dump(content))


def stems(folder):
    return sorted(file.stem for file in folder.glob("*.safetensors"))


def test_without_a_submission_thresholds_start_at_half(request_of):
    inputs = read_inputs(request_of(challenge="brats2023-gli"))
    assert thresholds_of(inputs.space.rules) == dict.fromkeys(NAMES, 0.5)
    assert inputs.space.weights == ((1.0, 1.0, 1.0),)
    assert inputs.space.members == ()
    assert inputs.metrics.profile == "brats2023"


def test_rules_and_members_are_the_submissions(request_of, tumour_submission):
    members = stems(tumour_submission)
    inputs = read_inputs(request_of(members, weights=tumour_submission, profile="plain"))
    assert [rule.rule for rule in inputs.rules] == ["nest"]
    assert inputs.space.members == tuple(f"{stem}.safetensors" for stem in members)
    assert inputs.space.weights == ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    assert inputs.metrics.profile == "plain"


def test_weights_are_not_tuned_without_files_of_the_members(request_of, tumour_submission):
    inputs = read_inputs(request_of(weights=tumour_submission))
    assert inputs.space.members == ()
    assert inputs.space.weights == ((1.0, 1.0, 1.0),)
    assert any("--each-member" in notice for notice in inputs.notices)


def test_weights_of_merged_logits_are_not_tuned(request_of, tumour_submission):
    rewrite(tumour_submission, merge="logits")
    inputs = read_inputs(request_of(stems(tumour_submission), weights=tumour_submission))
    assert inputs.space.members == ()
    assert any("logits" in notice for notice in inputs.notices)


def test_a_case_without_probabilities_is_reported(request_of, save_labels, tmp_path):
    save_labels(tmp_path / "ref" / "BraTS-GLI-00002-000-seg.nii.gz", np.zeros((8, 7, 6)))
    inputs = read_inputs(request_of(challenge="brats2023-gli"))
    assert [case.name for case in inputs.cases] == [CASE]
    assert inputs.notices[0] == "BraTS-GLI-00002-000: no saved probabilities"


def test_few_patients_are_reported(request_of, save, save_labels, tmp_path):
    request = request_of(challenge="brats2023-gli")
    assert read_inputs(request).notices[-1].startswith("few patients (1)")
    for number in range(2, 11):
        case = f"BraTS-GLI-{number:05d}-000"
        save_labels(tmp_path / "ref" / f"{case}-seg.nii.gz", np.zeros((8, 7, 6)))
        save(tmp_path / "saved" / f"{case}.npz", np.full((3, 8, 7, 6), 0.4), NAMES, "regions")
    assert read_inputs(request).notices == ()


def test_a_broken_case_is_left_out_alone(request_of, save_labels, tmp_path):
    request = request_of(challenge="brats2023-gli")
    save_labels(tmp_path / "ref" / "BraTS-GLI-00002-000-seg.nii.gz", np.zeros((8, 7, 6)))
    (tmp_path / "saved" / "BraTS-GLI-00002-000.npz").write_bytes(b"")
    inputs = read_inputs(request)
    assert [case.name for case in inputs.cases] == [CASE]
    assert "BraTS-GLI-00002-000" in inputs.notices[0]


def test_members_are_used_only_if_every_case_has_them(
    request_of, save_labels, save, tumour_submission, tmp_path
):
    request = request_of(stems(tumour_submission), weights=tumour_submission)
    save_labels(tmp_path / "ref" / "BraTS-GLI-00002-000-seg.nii.gz", np.zeros((8, 7, 6)))
    save(tmp_path / "saved" / "BraTS-GLI-00002-000.npz", np.full((3, 8, 7, 6), 0.4), NAMES, "regions")
    assert read_inputs(request).space.members == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "brats2023-gli"),
        ({"challenge": "brats2024-ssa"}, "no case to tune on"),
        ({"challenge": "brats2023-gli", "names": ("TC", "other")}, "other of the probabilities"),
        ({"challenge": "brats2023-gli", "profile": "brats2024"}, "profile brats2024"),
        (
            {"challenge": "brats2023-gli", "names": ("background", "NCR"), "kind": "labels"},
            "nothing to search",
        ),
    ],
)
def test_what_cannot_be_tuned_is_refused(request_of, options, words):
    with pytest.raises(UsageError, match=words):
        read_inputs(request_of(**options))


def test_probabilities_of_another_submission_are_refused(request_of, tumour_submission):
    with pytest.raises(UsageError, match=r"holds regions ET, TC, WT; expected regions TC, WT, ET"):
        read_inputs(request_of(weights=tumour_submission, names=("ET", "TC", "WT")))
