from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from segcube.submission import Submission
from segcube.validation import explain

SHA = "0" * 64
BRANCH = {
    "channels": ["t1c", "t1n"],
    "outputs": {"kind": "regions", "names": ["TC", "WT", "ET"]},
    "window": {"size": [32, 32, 32]},
    "members": [{"file": "a.safetensors", "sha256": SHA}],
}
PLAIN = {
    "name": "a-test",
    "challenge": "brats2023-gli",
    "stages": [{"name": "tumour", "branches": [BRANCH]}],
}


def changed(*path_and_value):
    """PLAIN with one value changed or added."""
    *path, value = path_and_value
    content = copy.deepcopy(PLAIN)
    place = content
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return content


def refusal(content) -> str:
    with pytest.raises(ValidationError) as caught:
        Submission.model_validate(content)
    return explain(caught.value, Submission)


def test_a_small_submission_gets_its_defaults():
    stage = Submission.model_validate(PLAIN).stages[0]
    assert stage.kind == "regions"
    assert stage.names == ("TC", "WT", "ET")
    assert stage.branches[0].window.overlap == 0.5


def test_an_unknown_key_names_itself_and_the_valid_ones():
    told = refusal(changed("stages", 0, "branches", 0, "window", "siez", [1, 1, 1]))
    assert "'stages.0.branches.0.window.siez'" in told
    assert "size, overlap, plan, blend" in told


def test_an_unknown_key_of_a_rule_names_those_of_that_rule():
    told = refusal(changed("postprocess", [{"rule": "nest", "order": ["ET", "TC"], "voxels": 3}]))
    assert "voxels" in told
    assert told.endswith("valid keys there: rule, order")


def test_a_wrong_word_names_the_valid_ones():
    assert "'gaussian' or 'constant'" in refusal(
        changed("stages", 0, "branches", 0, "window", "blend", "linear")
    )


def test_a_missing_key_is_named():
    content = copy.deepcopy(PLAIN)
    del content["stages"][0]["branches"][0]["members"]
    assert "'stages.0.branches.0.members' is missing" in refusal(content)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("stages", 0, "branches", 0, "orientation"), "RAR", "orientation"),
        (("stages", 0, "branches", 0, "orientation"), "RAL", "orientation"),
        (("stages", 0, "branches", 0, "flips"), ["x", "x"], "repeat"),
        (("stages", 0, "branches", 0, "spacing"), [1, 0, 1], "above 0"),
        (("stages", 0, "branches", 0, "members", 0, "weight"), {"TC": 1}, "weighs"),
        (("stages", 0, "branches", 0, "members", 0, "weight"), 0, "no weight"),
        (("stages", 0, "branches", 0, "normalize"), {"scheme": "ct"}, "bounds, mean and std"),
        (("stages", 0, "branches", 0, "outputs"), {"kind": "labels", "names": ["ET", "TC"]}, "background"),
        (("stages", 0, "follows"), {"stage": "heart", "as": "gate"}, "follows 'heart'"),
    ],
)
def test_what_cannot_run_is_refused(path, value, told):
    assert told in refusal(changed(*path, value))


@pytest.mark.parametrize("orientation", ["native", "RAS", "LPS", "SAR", "PIR"])
def test_orientations_are_native_or_three_letters(orientation):
    content = changed("stages", 0, "branches", 0, "orientation", orientation)
    assert Submission.model_validate(content).stages[0].branches[0].orientation == orientation


def test_branches_with_other_outputs_need_the_regions_of_the_stage():
    labels = BRANCH | {"outputs": {"kind": "labels", "names": ["background", "NCR", "ED", "ET"]}}
    content = changed("stages", 0, "branches", [BRANCH, labels])
    assert "name the stage's regions" in refusal(content)
    content["stages"][0]["regions"] = ["TC", "WT", "ET"]
    assert Submission.model_validate(content).stages[0].kind == "regions"
    content["stages"][0]["merge"] = "logits"
    assert "merge logits needs equal outputs" in refusal(content)
