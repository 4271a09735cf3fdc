from __future__ import annotations

from typing import Any

import pytest

from segcube.inference.windows import plan_windows
from segcube.spec.submission import Submission, apply_preset, describe_preset

NAMES = ["TC", "WT", "ET"]


def member(file: str, weight: Any = 1.0) -> dict[str, Any]:
    return {"file": f"{file}.safetensors", "sha256": "0" * 64, "weight": weight}


def branch(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "channels": ["t1c"],
        "outputs": {"kind": "regions", "names": NAMES},
        "window": {"size": [8, 8, 8], **more.pop("window", {})},
        "flips": ["x", "y"],
        "members": list(members),
        **more,
    }


def submission(*branches: dict[str, Any]) -> Submission:
    stages = [{"name": "tumour", "branches": list(branches)}]
    return Submission.model_validate({"name": "a-test", "challenge": "brats2023-gli", "stages": stages})


def files(reduced: Submission) -> list[str]:
    return [member.file.removesuffix(".safetensors") for member in reduced.members]


def weight(reduced: Submission, name: str) -> list[float]:
    return [member.weight_for(name) for member in reduced.members]


def test_full_is_the_whole_submission():
    full = submission(branch(member("a"), member("b")))
    assert apply_preset(full, "full") == full
    assert apply_preset(full, "full", True) == full


def test_balanced_omits_the_mirrors_only():
    assert apply_preset(submission(branch(member("a"), member("b"))), "balanced") == submission(
        branch(member("a"), member("b"), flips=[])
    )


def test_fast_keeps_the_heaviest_member_of_each_branch_without_mirrors():
    full = submission(branch(member("a"), member("b", 2.0)), branch(member("c"), member("d")))
    reduced = apply_preset(full, "fast")
    assert files(reduced) == ["b", "c"]
    assert [branch.flips for branch in reduced.stages[0].branches] == [(), ()]


def test_the_kept_member_has_the_weight_of_its_branch():
    full = submission(
        branch(member("a", 3.0), member("b", {"TC": 1.0, "WT": 0.0, "ET": 5.0})), branch(member("c"))
    )
    reduced = apply_preset(full, "fast")
    assert files(reduced) == ["a", "c"]
    assert [weight(reduced, name) for name in NAMES] == [[4.0, 1.0], [3.0, 1.0], [8.0, 1.0]]


def test_fast_keeps_a_member_for_each_channel():
    full = submission(
        branch(
            member("a", {"TC": 0.0, "WT": 0.0, "ET": 1.0}),
            member("b", {"TC": 0.0, "WT": 1.0, "ET": 1.0}),
            member("c", {"TC": 0.5, "WT": 0.0, "ET": 0.0}),
        )
    )
    reduced = apply_preset(full, "fast")
    assert files(reduced) == ["b", "c"]
    assert [weight(reduced, name) for name in NAMES] == [[0.0, 0.5], [1.0, 0.0], [2.0, 0.0]]


def test_a_branch_of_weight_0_for_a_channel_keeps_it():
    tumour, rest = ({"TC": tc, "WT": 1.0 - tc, "ET": 1.0} for tc in (1.0, 0.0))
    full = submission(branch(member("a", tumour), member("b", tumour)), branch(member("c", rest)))
    reduced = apply_preset(full, "fast")
    assert files(reduced) == ["a", "c"]
    assert weight(reduced, "WT") == [0.0, 1.0]


@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_the_result_is_a_valid_submission_with_the_same_windows(preset):
    full = submission(branch(member("a"), member("b", 0.0)), branch(member("c", 0.0), member("d", 0.0)))
    reduced = apply_preset(full, preset)
    assert Submission.model_validate_json(reduced.model_dump_json(by_alias=True)) == reduced
    sizes = {branch.window.size for stage in reduced.stages for branch in stage.branches}
    assert sizes == {(8, 8, 8)}


@pytest.mark.parametrize(("overlap", "found"), [(0.5, 0.25), (0.1, 0.1)])
def test_fast_overlaps_by_a_quarter_at_most(overlap, found):
    reduced = apply_preset(submission(branch(member("a"), window={"overlap": overlap})), "fast")
    assert reduced.stages[0].branches[0].window.overlap == found


@pytest.mark.parametrize("plan", ["nnunet", "monai"])
def test_the_fewer_windows_of_either_plan_contain_every_voxel(plan):
    full = submission(branch(member("a"), window={"plan": plan}))
    plans = [
        plan_windows((23, 8, 11), reduced.stages[0].branches[0].window)
        for reduced in (full, apply_preset(full, "fast"))
    ]
    assert len(plans[1].starts) < len(plans[0].starts)
    covered = {x for start in plans[1].starts for x in range(*plans[1].in_grid(start)[0].indices(23))}
    assert covered == set(range(23))


def test_mirrors_that_are_full_for_stay():
    reduced = apply_preset(submission(branch(member("a"), member("b"))), "fast", True)
    assert reduced.stages[0].branches[0].flips == ("x", "y")
    assert files(reduced) == ["a"]


def test_every_stage_of_a_cascade_is_reduced():
    content = submission(branch(member("a"), member("b"))).model_dump(mode="json", by_alias=True)
    later = {**content["stages"][0], "name": "later", "follows": {"stage": "tumour", "as": "onehot_channels"}}
    full = Submission.model_validate({**content, "stages": [*content["stages"], later]})
    reduced = apply_preset(full, "fast")
    assert files(reduced) == ["a", "a"]
    assert reduced.stages[1].follows == full.stages[1].follows


def test_a_preset_is_described_in_a_line():
    full = submission(branch(member("a"), member("b")))
    fast, mirrored = apply_preset(full, "fast"), apply_preset(full, "fast", True)
    assert describe_preset("fast", full, fast) == "preset fast: 1 of 2 members, no mirrors, overlap 0.25"
    assert describe_preset("fast", full, mirrored).endswith("members, mirrors x y, overlap 0.25")
    plain = submission(branch(member("a"), flips=[]))
    line = describe_preset("balanced", plain, apply_preset(plain, "balanced"))
    assert line == "preset balanced: 1 of 1 members, no mirrors, overlap 0.5; same as full"
