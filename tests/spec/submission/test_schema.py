from __future__ import annotations

import copy
import math
import re

import pytest
from pydantic import ValidationError

from segcube.core import explain_validation_error
from segcube.spec.submission import Submission

SHA = "0" * 64
BRANCH = {
    "channels": ["t1c", "t1n"],
    "outputs": {"kind": "regions", "names": ["TC", "WT", "ET"]},
    "window": {"size": [32, 32, 32]},
    "members": [{"file": "a.safetensors", "sha256": SHA}],
}
CONTENT = {
    "name": "a-test",
    "challenge": "brats2023-gli",
    "stages": [{"name": "tumour", "branches": [BRANCH]}],
}


def changed(*path_and_value):
    """CONTENT with one value changed or added."""
    *path, value = path_and_value
    content = copy.deepcopy(CONTENT)
    place = content
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return content


def error_of(content) -> str:
    with pytest.raises(ValidationError) as caught:
        Submission.model_validate(content)
    return explain_validation_error(caught.value, Submission)


def test_a_small_submission_gets_its_defaults():
    stage = Submission.model_validate(CONTENT).stages[0]
    assert stage.kind == "regions"
    assert stage.names == ("TC", "WT", "ET")
    assert stage.branches[0].window.overlap == 0.5


def test_an_unknown_key_is_an_error_with_the_valid_ones():
    message = error_of(changed("stages", 0, "branches", 0, "window", "siez", [1, 1, 1]))
    assert "'stages.0.branches.0.window.siez'" in message
    assert "size, overlap, plan, blend" in message


def test_an_unknown_key_of_a_rule_is_an_error_with_those_of_the_rule():
    message = error_of(changed("postprocess", [{"rule": "nest", "order": ["ET", "TC"], "voxels": 3}]))
    assert "voxels" in message
    assert message.endswith("valid keys: rule, order")


def test_an_invalid_choice_is_an_error_with_the_valid_ones():
    assert "'gaussian' or 'constant'" in error_of(
        changed("stages", 0, "branches", 0, "window", "blend", "linear")
    )


def test_a_missing_key_is_an_error():
    content = copy.deepcopy(CONTENT)
    del content["stages"][0]["branches"][0]["members"]
    assert "'stages.0.branches.0.members' is missing" in error_of(content)


INCONSISTENT = [
    (("stages", 0, "branches", 0, "orientation"), "RAR", "orientation"),
    (("stages", 0, "branches", 0, "orientation"), "RAL", "orientation"),
    (("stages", 0, "branches", 0, "spacing"), [1, 0, 1], "greater than or equal to 0.0001"),
    (("stages", 0, "branches", 0, "members", 0, "weight"), {"TC": 1}, "weight of a.safetensors has keys"),
    (("stages", 0, "branches", 0, "members", 0, "weight"), 0, "weights of all members are 0"),
    (("stages", 0, "branches", 0, "normalize"), {"scheme": "ct"}, "bounds, mean and std"),
    (("stages", 0, "branches", 0, "outputs"), {"kind": "labels", "names": ["ET", "TC"]}, "background"),
    (("stages", 0, "follows"), {"stage": "heart", "as": "gate"}, "follows 'heart'"),
]


def test_inconsistent_values_are_errors():
    assert [row for row in INCONSISTENT if row[2] not in error_of(changed(*row[0], row[1]))] == []


IN_BRANCH = ("stages", 0, "branches", 0)
IN_MEMBER = (*IN_BRANCH, "members", 0)
CT = {"scheme": "ct", "bounds": [-1, 1], "mean": 0, "std": 1}
INCREASING = "bounds: expected two increasing numbers"
KEEP = {"rule": "keep_components", "region": "ET"}
MEMBER = BRANCH["members"][0]


OUT_OF_BOUNDS = [
    (("name",), "a" * 101, "'name'.*at most 100"),
    (("name",), "a b", "'name'.*pattern"),
    (("challenge",), "", "'challenge'.*at least 1"),
    (("challenge",), "../own.yaml", "'challenge'.*outside the folder"),
    (("serves",), ["mbas2024", "mbas2024"], "'serves'.*duplicate entries: mbas2024"),
    (("stages",), [], "'stages'.*at least 1"),
    (("stages",), CONTENT["stages"] * 2, "duplicate stage name tumour"),
    (("stages", 0, "name"), "a\x1b[31m", "'stages.0.name'.*unprintable"),
    (("stages", 0, "regions"), ["WT", "WT"], "'stages.0.regions'.*duplicate entries: WT"),
    ((*IN_BRANCH, "channels"), [], "channels'.*at least 1"),
    ((*IN_BRANCH, "channels"), ["t1c", "t1c"], "channels'.*duplicate entries: t1c"),
    ((*IN_BRANCH, "flips"), ["x", "x"], "flips'.*duplicate entries: x"),
    ((*IN_BRANCH, "spacing"), [1, 1, 1e5], "spacing.2'.*less than or equal to 10000"),
    ((*IN_BRANCH, "spacing"), [1, 1, math.nan], "spacing.2'.*finite"),
    ((*IN_BRANCH, "normalize"), [], "normalize.*at least 1"),
    ((*IN_BRANCH, "normalize"), [{}], "normalize has 1 entries; expected 2"),
    ((*IN_BRANCH, "normalize"), CT | {"bounds": [1, -1]}, INCREASING),
    ((*IN_BRANCH, "normalize"), CT | {"bounds": [-1, 1e31]}, "bounds.1'.*less than"),
    ((*IN_BRANCH, "normalize"), CT | {"mean": -1e31}, "mean'.*greater than"),
    ((*IN_BRANCH, "normalize"), CT | {"std": -1}, "std'.*greater than or equal to 0"),
    ((*IN_BRANCH, "normalize"), {"percentiles": [99, 1]}, "percentiles: expected two increasing numbers"),
    (
        (*IN_BRANCH, "normalize"),
        {"percentiles": [1, 101]},
        "percentiles: expected two increasing numbers",
    ),
    ((*IN_BRANCH, "outputs", "names"), ["ET", "ET"], "outputs.names'.*duplicate entries: ET"),
    ((*IN_BRANCH, "window", "size"), [0, 1, 1], "window.size.0'.*greater than or equal to 1"),
    ((*IN_BRANCH, "window", "size"), [1, 1, 2**15], "window.size.2'.*less than or equal to 32767"),
    ((*IN_BRANCH, "window", "size"), [1024, 1024, 1024], "window.size'.*more than 268,435,456 voxels"),
    ((*IN_BRANCH, "window", "overlap"), -0.1, "window.overlap'.*greater than or equal to 0"),
    ((*IN_BRANCH, "window", "overlap"), 0.96, "window.overlap'.*less than or equal to 0.95"),
    ((*IN_BRANCH, "members"), [], "members'.*at least 1"),
    ((*IN_BRANCH, "members"), [MEMBER, MEMBER], "duplicate member files: a.safetensors"),
    ((*IN_MEMBER, "file"), "a/b", "file'.*outside the folder"),
    ((*IN_MEMBER, "sha256"), "0" * 63, "sha256'.*pattern"),
    ((*IN_MEMBER, "weight"), 1e-46, "weight.*from 1e-06 to"),
    ((*IN_MEMBER, "weight"), 1e7, "weight.*from 1e-06 to"),
    ((*IN_MEMBER, "weight"), math.nan, "weight.*finite"),
    ((*IN_MEMBER, "weight"), {"TC": 1, "WT": 1e-46, "ET": 1}, "weight.*WT.*from 1e-06 to"),
    (("postprocess",), [{"rule": "threshold", "at": {}}], "at'.*at least 1"),
    (("postprocess",), [{"rule": "threshold", "at": {"ET": 1.1}}], "ET'.*less than or equal to 1"),
    (("postprocess",), [KEEP | {"min_voxels": -1}], "min_voxels'.*greater than or equal to 0"),
    (("postprocess",), [KEEP | {"min_mean_probability": 2}], "min_mean_probability'.*equal to 1"),
    (("postprocess",), [KEEP | {"max_count": 0}], "max_count'.*greater than or equal to 1"),
    (("postprocess",), [KEEP | {"unless_holds": {"region": "ET"}}], "unless_holds.region is ET itself"),
    (("postprocess",), [{"rule": "nest", "order": ["ET"]}], "order'.*at least 2"),
    (("postprocess",), [{"rule": "nest", "order": ["ET", "TC", "ET"]}], "order'.*duplicate entries: ET"),
    (("postprocess",), [{"rule": "retry", "region": "ET", "factor": 1}], "factor'.*less than 1"),
    (("postprocess",), [{"rule": "retry", "region": "ET", "factor": 0}], "factor'.*greater than 0"),
    (("postprocess",), [{"rule": "write", "order": []}], "order'.*at least 1"),
    (
        ("postprocess",),
        [{"rule": "write", "order": [{"region": "ET", "label": name} for name in ("ET", "ED")]}],
        "duplicate regions: ET",
    ),
    (
        ("postprocess",),
        [{"rule": "replace_small", "label": "ET", "with": "ET", "below": 9}],
        "with is ET itself",
    ),
    (
        ("postprocess",),
        [{"rule": "replace_small", "label": "ET", "with": "ED", "below": 0}],
        "below'.*greater than or equal to 1",
    ),
]


def test_values_out_of_bounds_are_errors():
    assert [row for row in OUT_OF_BOUNDS if not re.search(row[2], error_of(changed(*row[0], row[1])))] == []


def test_two_sha256_of_one_file_are_an_error():
    other = BRANCH | {"members": [{"file": "a.safetensors", "sha256": "1" * 64}]}
    assert "a.safetensors: two different values of sha256" in error_of(
        changed("stages", 0, "branches", [BRANCH, other])
    )


def test_branches_can_share_a_file():
    Submission.model_validate(changed("stages", 0, "branches", [BRANCH, BRANCH]))


def test_a_weight_is_0_or_from_a_millionth_to_a_million():
    weights = {"b.safetensors": 0.0, "c.safetensors": 1e-6, "d.safetensors": 1e6}
    others = [{"file": file, "sha256": SHA, "weight": weight} for file, weight in weights.items()]
    Submission.model_validate(changed(*IN_BRANCH, "members", [MEMBER, *others]))


def cascade(**follows):
    last = {
        "name": "last",
        "follows": {"stage": "tumour", "as": "onehot_channels"} | follows,
        "branches": [BRANCH],
    }
    return CONTENT | {"stages": [CONTENT["stages"][0], last]}


NO_OUTPUTS = [
    ({"names": ["TC", "RC"]}, "follows tumour with unknown ['RC']"),
    ({"paint": [{"region": "RC", "label": "RC"}]}, "follows tumour with unknown ['RC']"),
    (
        {"paint": [{"region": "WT", "label": "ED"}], "names": ["NCR"]},
        "follows tumour with unknown ['NCR']",
    ),
    ({"grid": "branch"}, "grid: branch requires as: gate"),
    ({"names": []}, "at least 1"),
    ({"names": ["TC", "TC"]}, "duplicate entries: TC"),
    ({"paint": [{"region": "WT", "label": "ED"}] * 2}, "duplicate regions: WT"),
    ({"paint": [{"region": "WT", "label": "background"}]}, "follows tumour with background only"),
    ({"dilate": {"radius": -1}}, "radius' is -1"),
    ({"dilate": {"radius": 1001}}, "radius' is 1001"),
    ({"dilate": {"radius": math.inf}}, "radius' is inf"),
]


def test_a_stage_can_only_use_outputs_of_the_previous_one():
    assert [row for row in NO_OUTPUTS if row[1] not in error_of(cascade(**row[0]))] == []


def test_names_order_the_painted_labels():
    paint = [{"region": "WT", "label": "ED"}, {"region": "TC", "label": "NCR"}]
    follows = Submission.model_validate(cascade(paint=paint)).stages[1].follows
    assert follows.input_names(("TC", "WT", "ET")) == ("ED", "NCR")
    follows = Submission.model_validate(cascade(paint=paint, names=["NCR", "ED"])).stages[1].follows
    assert follows.input_names(("TC", "WT", "ET")) == ("NCR", "ED")


def test_resampling_is_given_by_an_order_or_a_spline():
    splines = {"image": 1, "output": {"order": 0, "order_z": 1}, "separate_z": "never"}
    content = changed("stages", 0, "branches", 0, "resampling", splines)
    resampling = Submission.model_validate(content).stages[0].branches[0].resampling
    image, output = resampling.spline_for("image"), resampling.spline_for("output")
    assert (image.order, image.separate_z) == (1, "never")
    assert (output.order_z, output.separate_z) == (1, "auto")


@pytest.mark.parametrize("orientation", ["native", "PIR"])
def test_an_orientation_is_native_or_three_letters(orientation):
    content = changed("stages", 0, "branches", 0, "orientation", orientation)
    assert Submission.model_validate(content).stages[0].branches[0].orientation == orientation


def test_branches_with_different_outputs_require_regions_of_the_stage():
    labels = BRANCH | {"outputs": {"kind": "labels", "names": ["background", "NCR", "ED", "ET"]}}
    content = changed("stages", 0, "branches", [BRANCH, labels])
    assert "set regions of the stage" in error_of(content)
    content["stages"][0]["regions"] = ["TC", "WT", "ET"]
    assert Submission.model_validate(content).stages[0].kind == "regions"
    content["stages"][0]["merge"] = "logits"
    assert "merge logits requires equal outputs" in error_of(content)


def test_merging_logits_requires_windows_that_average_logits():
    window = {"size": [32, 32, 32], "average": "probabilities"}
    stage = {"name": "tumour", "branches": [BRANCH | {"window": window}]}
    Submission.model_validate(CONTENT | {"stages": [stage]})
    with pytest.raises(ValidationError, match=r"requires window.average logits"):
        Submission.model_validate(CONTENT | {"stages": [stage | {"merge": "logits"}]})
