from __future__ import annotations

import pytest

from segcube.core import UsageError
from segcube.spec.challenges import match_challenge


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (["BraTS2021_00001_flair.nii.gz"], "brats2021-gli"),
        (["BraTS2021_00001"], "brats2021-gli"),
        (["MBAS_001_gt.nii.gz"], "mbas2024"),
        (["MBAS_001_image.nii.gz", "MBAS_001_label.nii.gz"], "mbas2026"),
        (["BraTS-PED-00001"], "brats2026-ped"),
        (["BraTS-GoAT-00001-000-t1c.nii.gz"], "brats2026-goat"),
        (["BraTS-MET-00001.nii.gz"], "brats2026-met"),
    ],
)
def test_names_tell_the_challenge(names, key):
    assert match_challenge(names).key == key


@pytest.mark.parametrize(
    ("shapes", "left"),
    [
        ([(182, 218, 182)], ["brats2024-gli", "brats2025-gli"]),
        ([(240, 240, 155), (182, 218, 182)], ["brats2025-gli"]),
    ],
)
def test_geometry_breaks_a_tie(shapes, left):
    names = ["BraTS-GLI-00001-100-t1c.nii.gz"]
    if len(left) == 1:
        assert match_challenge(names, shapes).key == left[0]
        return
    with pytest.raises(UsageError) as caught:
        match_challenge(names, shapes)
    assert str(caught.value).count("brats") == len(left)
    assert all(key in str(caught.value) for key in left)


def test_what_stays_open_lists_the_keys():
    with pytest.raises(UsageError) as caught:
        match_challenge(["BraTS-SSA-00001-000"])
    told = str(caught.value)
    assert "brats2023-ssa, brats2024-ssa, brats2025-ssa" in told
    assert "--challenge" in told


@pytest.mark.parametrize("names", [[], ["liver_1.nii.gz", "README"]])
def test_names_of_no_challenge_are_refused(names):
    with pytest.raises(UsageError, match="no name fits"):
        match_challenge(names)


def test_a_hosts_invented_name_counts_only_where_no_proper_one_fits():
    with pytest.raises(UsageError) as caught:
        match_challenge(["BraTS-GLI-00001-000"], [(240, 240, 155)])
    assert "goat" not in str(caught.value)


def test_shapes_of_no_challenge_decide_nothing():
    with pytest.raises(UsageError, match="mbas2024, mbas2026"):
        match_challenge(["MBAS_001_label.nii.gz"], [(183, 140, 22)])
