from __future__ import annotations

import copy
import math
import re

import pytest
from pydantic import ValidationError

from segcube.core import explain
from segcube.spec.submission import Submission

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
        (("stages", 0, "branches", 0, "spacing"), [1, 0, 1], "greater than or equal to 0.0001"),
        (("stages", 0, "branches", 0, "members", 0, "weight"), {"TC": 1}, "weighs"),
        (("stages", 0, "branches", 0, "members", 0, "weight"), 0, "no weight"),
        (("stages", 0, "branches", 0, "normalize"), {"scheme": "ct"}, "bounds, mean and std"),
        (("stages", 0, "branches", 0, "outputs"), {"kind": "labels", "names": ["ET", "TC"]}, "background"),
        (("stages", 0, "follows"), {"stage": "heart", "as": "gate"}, "follows 'heart'"),
    ],
)
def test_what_cannot_run_is_refused(path, value, told):
    assert told in refusal(changed(*path, value))


IN_BRANCH = ("stages", 0, "branches", 0)
IN_MEMBER = (*IN_BRANCH, "members", 0)
CT = {"scheme": "ct", "bounds": [-1, 1], "mean": 0, "std": 1}
RISING = "bounds are two numbers, rising"
KEEP = {"rule": "keep_components", "region": "ET"}
MEMBER = BRANCH["members"][0]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("name",), "a" * 101, "'name'.*at most 100"),
        (("name",), "a b", "'name'.*pattern"),
        (("challenge",), "", "'challenge'.*at least 1"),
        (("challenge",), "../own.yaml", "'challenge'.*outside the folder"),
        (("serves",), ["mbas2024", "mbas2024"], "'serves'.*entries repeat: mbas2024"),
        (("stages",), [], "'stages'.*at least 1"),
        (("stages",), PLAIN["stages"] * 2, "two stages are called tumour"),
        (("stages", 0, "name"), "", "'stages.0.name'.*at least 1"),
        (("stages", 0, "name"), "a\x1b[31m", "'stages.0.name'.*printed"),
        (("stages", 0, "regions"), [], "'stages.0.regions'.*at least 1"),
        (("stages", 0, "regions"), ["WT", "WT"], "'stages.0.regions'.*entries repeat: WT"),
        ((*IN_BRANCH, "channels"), [], "channels'.*at least 1"),
        ((*IN_BRANCH, "channels"), ["t1c", "t1c"], "channels'.*entries repeat: t1c"),
        ((*IN_BRANCH, "channels"), ["t1c", " "], "channels.1'.*printed"),
        ((*IN_BRANCH, "flips"), ["x", "x"], "flips'.*entries repeat: x"),
        ((*IN_BRANCH, "spacing"), [1, 1, 1e5], "spacing.2'.*less than or equal to 10000"),
        ((*IN_BRANCH, "spacing"), [1, 1, math.nan], "spacing.2'.*finite"),
        ((*IN_BRANCH, "spacing"), [1, 1, math.inf], "spacing.2'.*finite"),
        ((*IN_BRANCH, "normalize"), [], "normalize.*at least 1"),
        ((*IN_BRANCH, "normalize"), [{}], "1 normalize entries for 2 channels"),
        ((*IN_BRANCH, "normalize"), CT | {"bounds": [1, -1]}, RISING),
        ((*IN_BRANCH, "normalize"), CT | {"bounds": [1, 1]}, RISING),
        ((*IN_BRANCH, "normalize"), CT | {"bounds": [-1, math.inf]}, "bounds.1'.*finite"),
        ((*IN_BRANCH, "normalize"), CT | {"bounds": [-1, 1e31]}, "bounds.1'.*less than"),
        ((*IN_BRANCH, "normalize"), CT | {"mean": math.nan}, "mean'.*finite"),
        ((*IN_BRANCH, "normalize"), CT | {"mean": -1e31}, "mean'.*greater than"),
        ((*IN_BRANCH, "normalize"), CT | {"std": -1}, "std'.*greater than or equal to 0"),
        ((*IN_BRANCH, "normalize"), CT | {"std": math.inf}, "std'.*finite"),
        ((*IN_BRANCH, "normalize"), {"percentiles": [99, 1]}, "percentiles are two numbers, rising"),
        ((*IN_BRANCH, "normalize"), {"percentiles": [1, 101]}, "percentiles are two numbers, rising"),
        ((*IN_BRANCH, "normalize"), {"percentiles": [math.nan, 1]}, "percentiles.0'.*finite"),
        ((*IN_BRANCH, "outputs", "names"), [], "outputs.names'.*at least 1"),
        ((*IN_BRANCH, "outputs", "names"), ["ET", "ET"], "outputs.names'.*entries repeat: ET"),
        ((*IN_BRANCH, "window", "size"), [0, 1, 1], "window.size.0'.*greater than or equal to 1"),
        ((*IN_BRANCH, "window", "size"), [1, 1, 2**15], "window.size.2'.*less than or equal to 32767"),
        ((*IN_BRANCH, "window", "size"), [1024, 1024, 1024], "window.size'.*more than 268,435,456 voxels"),
        ((*IN_BRANCH, "window", "overlap"), -0.1, "window.overlap'.*greater than or equal to 0"),
        ((*IN_BRANCH, "window", "overlap"), 0.96, "window.overlap'.*less than or equal to 0.95"),
        ((*IN_BRANCH, "window", "overlap"), math.nan, "window.overlap'.*finite"),
        ((*IN_BRANCH, "members"), [], "members'.*at least 1"),
        ((*IN_BRANCH, "members"), [MEMBER, MEMBER], "members repeat: a.safetensors"),
        ((*IN_MEMBER, "file"), "a/b", "file'.*outside the folder"),
        ((*IN_MEMBER, "sha256"), "0" * 63, "sha256'.*pattern"),
        ((*IN_MEMBER, "weight"), -1, "weight.*from 1e-06 to"),
        ((*IN_MEMBER, "weight"), 1e-46, "weight.*from 1e-06 to"),
        ((*IN_MEMBER, "weight"), 1e7, "weight.*from 1e-06 to"),
        ((*IN_MEMBER, "weight"), math.inf, "weight.*finite"),
        ((*IN_MEMBER, "weight"), math.nan, "weight.*finite"),
        ((*IN_MEMBER, "weight"), {"TC": 1, "WT": 1e-46, "ET": 1}, "weight.*WT.*from 1e-06 to"),
        ((*IN_MEMBER, "weight"), {"TC": 1, "WT": math.inf, "ET": 1}, "weight.*WT.*finite"),
        (("postprocess",), [{"rule": "threshold", "at": {}}], "at'.*at least 1"),
        (("postprocess",), [{"rule": "threshold", "at": {"ET": 1.1}}], "ET'.*less than or equal to 1"),
        (("postprocess",), [{"rule": "threshold", "at": {"ET": math.nan}}], "ET'.*finite"),
        (("postprocess",), [KEEP | {"region": ""}], "region'.*at least 1"),
        (("postprocess",), [KEEP | {"min_voxels": -1}], "min_voxels'.*greater than or equal to 0"),
        (("postprocess",), [KEEP | {"min_voxels": 2**63}], "min_voxels'.*less than or equal to 268435456"),
        (("postprocess",), [KEEP | {"min_mean_probability": 2}], "min_mean_probability'.*equal to 1"),
        (("postprocess",), [KEEP | {"max_count": 0}], "max_count'.*greater than or equal to 1"),
        (("postprocess",), [KEEP | {"unless_holds": {"region": "ET"}}], "unless_holds names ET itself"),
        (("postprocess",), [{"rule": "nest", "order": ["ET"]}], "order'.*at least 2"),
        (("postprocess",), [{"rule": "nest", "order": ["ET", "TC", "ET"]}], "order'.*entries repeat: ET"),
        (("postprocess",), [{"rule": "fill", "regions": ["ET", "ET"]}], "regions'.*entries repeat: ET"),
        (("postprocess",), [{"rule": "retry", "region": "ET", "factor": 1}], "factor'.*less than 1"),
        (("postprocess",), [{"rule": "retry", "region": "ET", "factor": 0}], "factor'.*greater than 0"),
        (("postprocess",), [{"rule": "write", "order": []}], "order'.*at least 1"),
        (
            ("postprocess",),
            [{"rule": "write", "order": [{"region": "ET", "label": name} for name in ("ET", "ED")]}],
            "painted regions repeat: ET",
        ),
        (("postprocess",), [{"rule": "largest_component", "labels": ["ET", "ET"]}], "entries repeat: ET"),
        (
            ("postprocess",),
            [{"rule": "replace_small", "label": "ET", "with": "ET", "below": 9}],
            "ET becomes itself",
        ),
        (
            ("postprocess",),
            [{"rule": "replace_small", "label": "ET", "with": "ED", "below": 0}],
            "below'.*greater than or equal to 1",
        ),
    ],
)
def test_each_value_has_its_bounds(path, value, told):
    assert re.search(told, refusal(changed(*path, value)))


def test_a_file_has_one_sha256():
    other = BRANCH | {"members": [{"file": "a.safetensors", "sha256": "1" * 64}]}
    assert "a.safetensors has two values of sha256" in refusal(
        changed("stages", 0, "branches", [BRANCH, other])
    )


def test_branches_may_share_a_file():
    Submission.model_validate(changed("stages", 0, "branches", [BRANCH, BRANCH]))


@pytest.mark.parametrize("weight", [0.0, 1e-6, 1e6])
def test_a_weight_may_be_none_or_from_a_millionth_to_a_million(weight):
    members = [MEMBER, {"file": "b.safetensors", "sha256": SHA, "weight": weight}]
    Submission.model_validate(changed(*IN_BRANCH, "members", members))


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
        ({"names": []}, "at least 1"),
        ({"names": ["TC", "TC"]}, "entries repeat: TC"),
        ({"paint": [{"region": "WT", "label": "ED"}] * 2}, "painted regions repeat: WT"),
        ({"paint": [{"region": "WT", "label": "background"}]}, "takes nothing but the background"),
        ({"dilate": {"radius": -1}}, "radius' = '-1'"),
        ({"dilate": {"radius": 1001}}, "radius' = '1001'"),
        ({"dilate": {"radius": math.inf}}, "radius' = 'inf'"),
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
