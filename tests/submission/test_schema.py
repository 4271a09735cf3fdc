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


def cascade(**follows):
    last = {
        "name": "last",
        "follows": {"stage": "tumour", "as": "onehot_channels"} | follows,
        "branches": [BRANCH],
    }
    return PLAIN | {"stages": [PLAIN["stages"][0], last]}


@pytest.mark.parametrize(
    ("follows", "told"),
    [
        ({"names": ["TC", "RC"]}, "takes ['RC'] of tumour"),
        ({"paint": [{"region": "RC", "label": "RC"}]}, "takes ['RC'] of tumour"),
        ({"paint": [{"region": "WT", "label": "ED"}], "names": ["NCR"]}, "takes ['NCR'] of tumour"),
        ({"grid": "branch"}, "grid: branch belongs to as: gate"),
    ],
)
def test_a_stage_takes_what_there_is_to_take(follows, told):
    assert told in refusal(cascade(**follows))


def test_painted_labels_come_in_the_order_of_the_names():
    paint = [{"region": "WT", "label": "ED"}, {"region": "TC", "label": "NCR"}]
    follows = Submission.model_validate(cascade(paint=paint)).stages[1].follows
    assert follows.taken(("TC", "WT", "ET")) == ("ED", "NCR")
    follows = Submission.model_validate(cascade(paint=paint, names=["NCR", "ED"])).stages[1].follows
    assert follows.taken(("TC", "WT", "ET")) == ("NCR", "ED")


def test_a_way_of_resampling_is_an_order_or_all_that_there_is_to_say():
    way = {"image": 1, "output": {"order": 0, "order_z": 1}, "separate_z": "never"}
    content = changed("stages", 0, "branches", 0, "resampling", way)
    resampling = Submission.model_validate(content).stages[0].branches[0].resampling
    assert (resampling.of("image").order, resampling.of("image").separate_z) == (1, "never")
    assert (resampling.of("output").order_z, resampling.of("output").separate_z) == (1, "auto")


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


def test_logits_are_merged_of_windows_that_average_them():
    window = {"size": [32, 32, 32], "average": "probabilities"}
    stage = {"name": "tumour", "branches": [BRANCH | {"window": window}]}
    Submission.model_validate(PLAIN | {"stages": [stage]})
    with pytest.raises(ValidationError, match="merge logits needs windows that average them"):
        Submission.model_validate(PLAIN | {"stages": [stage | {"merge": "logits"}]})
