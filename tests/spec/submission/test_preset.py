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


def files(taken: Submission) -> list[str]:
    return [member.file.removesuffix(".safetensors") for member in taken.members]


def weight(taken: Submission, name: str) -> list[float]:
    return [member.weighs(name) for member in taken.members]


def test_full_is_what_the_submission_says():
    asked = submission(branch(member("a"), member("b")))
    assert apply_preset(asked, "full") == asked
    assert apply_preset(asked, "full", True) == asked


def test_balanced_leaves_the_mirrors_out_and_nothing_else():
    assert apply_preset(submission(branch(member("a"), member("b"))), "balanced") == submission(
        branch(member("a"), member("b"), flips=[])
    )


def test_fast_keeps_the_heaviest_member_of_each_branch_without_mirrors():
    asked = submission(branch(member("a"), member("b", 2.0)), branch(member("c"), member("d")))
    taken = apply_preset(asked, "fast")
    assert files(taken) == ["b", "c"]
    assert [branch.flips for branch in taken.stages[0].branches] == [(), ()]


def test_the_kept_member_weighs_as_much_as_its_branch():
    asked = submission(
        branch(member("a", 3.0), member("b", {"TC": 1.0, "WT": 0.0, "ET": 5.0})), branch(member("c"))
    )
    taken = apply_preset(asked, "fast")
    assert files(taken) == ["a", "c"]
    assert [weight(taken, name) for name in NAMES] == [[4.0, 1.0], [3.0, 1.0], [8.0, 1.0]]


def test_fast_keeps_as_many_members_as_every_name_takes():
    asked = submission(
        branch(
            member("a", {"TC": 0.0, "WT": 0.0, "ET": 1.0}),
            member("b", {"TC": 0.0, "WT": 1.0, "ET": 1.0}),
            member("c", {"TC": 0.5, "WT": 0.0, "ET": 0.0}),
        )
    )
    taken = apply_preset(asked, "fast")
    assert files(taken) == ["b", "c"]
    assert [weight(taken, name) for name in NAMES] == [[0.0, 0.5], [1.0, 0.0], [2.0, 0.0]]


def test_a_branch_without_a_say_in_a_name_gets_none():
    tumour, rest = ({"TC": tc, "WT": 1.0 - tc, "ET": 1.0} for tc in (1.0, 0.0))
    asked = submission(branch(member("a", tumour), member("b", tumour)), branch(member("c", rest)))
    taken = apply_preset(asked, "fast")
    assert files(taken) == ["a", "c"]
    assert weight(taken, "WT") == [0.0, 1.0]


@pytest.mark.parametrize("preset", ["fast", "balanced"])
def test_what_is_left_is_a_sound_submission_of_the_same_windows(preset):
    asked = submission(branch(member("a"), member("b", 0.0)), branch(member("c", 0.0), member("d", 0.0)))
    taken = apply_preset(asked, preset)
    assert Submission.model_validate_json(taken.model_dump_json(by_alias=True)) == taken
    sizes = {branch.window.size for stage in taken.stages for branch in stage.branches}
    assert sizes == {(8, 8, 8)}


@pytest.mark.parametrize(("overlap", "found"), [(0.5, 0.25), (0.1, 0.1)])
def test_fast_overlaps_by_a_quarter_at_most(overlap, found):
    taken = apply_preset(submission(branch(member("a"), window={"overlap": overlap})), "fast")
    assert taken.stages[0].branches[0].window.overlap == found


@pytest.mark.parametrize("plan", ["nnunet", "monai"])
def test_the_fewer_windows_of_either_plan_cover_every_voxel(plan):
    asked = submission(branch(member("a"), window={"plan": plan}))
    plans = [
        plan_windows((23, 8, 11), taken.stages[0].branches[0].window)
        for taken in (asked, apply_preset(asked, "fast"))
    ]
    assert len(plans[1].starts) < len(plans[0].starts)
    covered = {x for start in plans[1].starts for x in range(*plans[1].in_grid(start)[0].indices(23))}
    assert covered == set(range(23))


def test_mirrors_that_are_asked_for_stay():
    taken = apply_preset(submission(branch(member("a"), member("b"))), "fast", True)
    assert taken.stages[0].branches[0].flips == ("x", "y")
    assert files(taken) == ["a"]


def test_every_stage_of_a_cascade_is_taken_alike():
    content = submission(branch(member("a"), member("b"))).model_dump(mode="json", by_alias=True)
    later = {**content["stages"][0], "name": "later", "follows": {"stage": "tumour", "as": "onehot_channels"}}
    asked = Submission.model_validate({**content, "stages": [*content["stages"], later]})
    taken = apply_preset(asked, "fast")
    assert files(taken) == ["a", "a"]
    assert taken.stages[1].follows == asked.stages[1].follows


def test_a_preset_is_told_in_a_line():
    asked = submission(branch(member("a"), member("b")))
    fast, mirrored = apply_preset(asked, "fast"), apply_preset(asked, "fast", True)
    assert describe_preset("fast", asked, fast) == "preset fast: 1 of 2 members, no mirrors, overlap 0.25"
    assert describe_preset("fast", asked, mirrored).endswith("members, mirrors x y, overlap 0.25")
    plain = submission(branch(member("a"), flips=[]))
    told = describe_preset("balanced", plain, apply_preset(plain, "balanced"))
    assert told == "preset balanced: 1 of 1 members, no mirrors, overlap 0.5; as the submission says"
