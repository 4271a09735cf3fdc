from __future__ import annotations

import pytest

from segcube.backends import check_members
from segcube.core import EnvironmentFault
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import LoadedSubmission, Submission


def loaded(submission, folder):
    return LoadedSubmission(submission, folder, load_challenge(submission.challenge))


def submission(member, **branch):
    content = {
        "channels": ["t1c", "t1n"],
        "outputs": {"kind": "regions", "names": ["TC", "WT", "ET"]},
        "window": {"size": [16, 16, 32]},
        "members": [member],
    }
    stage = {"name": "tumour", "branches": [content | branch]}
    return Submission.model_validate({"name": "a-test", "challenge": "brats2023-gli", "stages": [stage]})


def test_a_member_that_fits_passes(tmp_path, save_member):
    check_members(loaded(submission(save_member(tmp_path, 2, 3)), tmp_path))


@pytest.mark.parametrize(("channels", "outputs"), [(4, 3), (2, 4)])
def test_channels_and_outputs_are_those_of_the_branch(tmp_path, save_member, channels, outputs):
    with pytest.raises(
        EnvironmentFault, match=f"takes {channels} channels and gives {outputs}; expected 2 and 3"
    ):
        check_members(loaded(submission(save_member(tmp_path, channels, outputs)), tmp_path))


def test_a_window_is_a_multiple_of_what_the_network_halves(tmp_path, save_member):
    with pytest.raises(EnvironmentFault, match="multiples of"):
        check_members(
            loaded(submission(save_member(tmp_path, 2, 3), window={"size": [16, 20, 32]}), tmp_path)
        )


def test_earlier_masks_count_as_channels(tmp_path, save_unet):
    branch = {
        "channels": ["lge"],
        "outputs": {"kind": "labels", "names": ["background", "wall", "RA", "LA"]},
        "window": {"size": [16, 16, 8]},
    }
    first = branch | {"outputs": {"kind": "labels", "names": ["background", "heart"]}}
    stages = [
        {"name": "heart", "branches": [first | {"members": [save_unet(tmp_path, 1, 2, 0)]}]},
        {
            "name": "atria",
            "follows": {"stage": "heart", "as": "onehot_channels"},
            "branches": [branch | {"members": [save_unet(tmp_path, 2, 4, 1)]}],
        },
    ]
    content = {"name": "a-test", "challenge": "mbas2024", "stages": stages}
    check_members(loaded(Submission.model_validate(content), tmp_path))
