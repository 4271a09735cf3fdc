from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from segcube.core import EnvironmentFault, UsageError
from segcube.spec.challenges import challenge_keys, load_challenge
from segcube.spec.challenges.schema import Paint
from segcube.spec.submission import (
    Submission,
    choose_submission,
    exchanged_labels,
    load_for_challenge,
    submission_folders,
    write_submission,
)

SHA = "0" * 64
CONTENT = {
    "name": "a-test",
    "challenge": "brats2023-gli",
    "serves": ["brats2023-ssa"],
    "stages": [
        {
            "name": "tumour",
            "branches": [
                {
                    "channels": ["t1c", "t1n"],
                    "outputs": {"kind": "regions", "names": ["TC", "WT", "ET"]},
                    "window": {"size": [32, 32, 32]},
                    "members": [{"file": "a.safetensors", "sha256": SHA}],
                }
            ],
        }
    ],
}


def folder_of(tmp_path: Path, **changes) -> Path:
    folder = tmp_path / changes.get("name", CONTENT["name"])
    folder.mkdir(parents=True)
    (folder / "a.safetensors").touch()
    content = copy.deepcopy(CONTENT) | changes
    (folder / "submission.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_the_submissions_own_challenge_is_the_default(tmp_path):
    assert load_for_challenge(folder_of(tmp_path)).challenge.key == "brats2023-gli"


def test_a_served_challenge_can_be_chosen(tmp_path):
    assert load_for_challenge(folder_of(tmp_path), "brats2023-ssa").challenge.key == "brats2023-ssa"


def test_another_challenge_is_an_error_with_those_served(tmp_path):
    with pytest.raises(UsageError, match="brats2023-gli, brats2023-ssa"):
        load_for_challenge(folder_of(tmp_path), "mbas2024")


def test_a_challenge_file_in_the_folder_is_read(tmp_path):
    folder = folder_of(tmp_path, challenge="own.yaml", serves=[])
    own = load_challenge("brats2023-gli").model_dump(mode="json") | {"key": "own"}
    (folder / "own.yaml").write_text(yaml.safe_dump(own))
    assert load_for_challenge(folder).challenge.key == "own"


def test_an_invalid_file_is_an_environment_fault(tmp_path):
    for content in ("just words", "name: x\n"):
        (tmp_path / "submission.yaml").write_text(content)
        with pytest.raises(EnvironmentFault, match=r"submission\.yaml"):
            load_for_challenge(tmp_path)


def test_an_empty_folder_is_an_environment_fault(tmp_path):
    with pytest.raises(EnvironmentFault, match="no such file"):
        load_for_challenge(tmp_path)


def test_errors_name_missing_weights(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "a.safetensors").unlink()
    with pytest.raises(EnvironmentFault, match=r"a\.safetensors: no such file"):
        load_for_challenge(folder)


def test_weights_outside_the_folder_are_errors(tmp_path):
    folder = folder_of(tmp_path)
    text = (folder / "submission.yaml").read_text().replace("a.safetensors", "../a.safetensors")
    (folder / "submission.yaml").write_text(text)
    with pytest.raises(EnvironmentFault, match="outside the folder"):
        load_for_challenge(folder)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([{"rule": "fill", "regions": ["XX"]}], "XX.*TC, WT, ET"),
        ([{"rule": "largest_component", "labels": ["RA"]}], "RA.*NCR, ED, ET"),
        (
            [{"rule": "nest", "order": ["ET", "TC"]}, {"rule": "threshold", "at": {"ET": 0.4}}],
            "threshold, then",
        ),
    ],
)
def test_rules_name_what_exists_in_an_order_that_works(tmp_path, rules, message):
    with pytest.raises(EnvironmentFault, match=message):
        load_for_challenge(folder_of(tmp_path, postprocess=rules))


@pytest.mark.parametrize(
    ("labels", "exchanged"),
    [
        (["ED", "NCR", "ET"], {}),
        (["NCR", "ED", "ET"], {"NCR": "ED", "ED": "NCR"}),
        (["ED"], {}),  # the other labels are not written at all
    ],
)
def test_an_order_that_does_not_reproduce_the_labels_is_found(labels, exchanged):
    order = [
        Paint(region=region, label=label) for region, label in zip(("WT", "TC", "ET"), labels, strict=False)
    ]
    assert exchanged_labels(order, load_challenge("brats2023-gli")) == exchanged


@pytest.mark.parametrize("key", challenge_keys())
def test_each_challenges_own_order_reproduces_its_labels(key):
    challenge = load_challenge(key)
    assert exchanged_labels(challenge.write, challenge) == {}


def test_the_image_prefers_what_is_no_starter(tmp_path):
    starter = folder_of(tmp_path, name="a-starter", starter=True)
    own = folder_of(tmp_path, name="own")
    assert submission_folders(tmp_path) == [own, starter]


def test_the_first_submission_whose_challenge_fits_is_chosen(tmp_path):
    folders = [folder_of(tmp_path)]
    chosen = choose_submission(folders, "auto", lambda challenge: challenge.key == "brats2023-ssa")
    assert chosen is not None
    assert chosen.challenge.key == "brats2023-ssa"
    assert choose_submission(folders, "auto", lambda challenge: challenge.key == "mbas2024") is None


def test_what_is_written_reads_the_same(tmp_path):
    submission = Submission.model_validate(CONTENT)
    write_submission(submission, tmp_path)
    (tmp_path / "a.safetensors").touch()
    assert load_for_challenge(tmp_path).submission == submission


def test_a_folder_of_submissions_is_an_error_that_names_them(tmp_path):
    for name in ("one", "two"):
        folder_of(tmp_path, name=name)
    with pytest.raises(EnvironmentFault, match=r"holds 2 submissions: one, two.*name one of them"):
        load_for_challenge(tmp_path)
