from __future__ import annotations

import pytest

from segcube.core import UsageError
from segcube.spec.challenges import challenge_keys, load_challenge, match_challenge, nifti_stem, parse_name
from segcube.spec.challenges.catalogue import ImageName


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
def test_names_identify_the_challenge(names, key):
    assert match_challenge(names).key == key


@pytest.mark.parametrize(
    ("shapes", "left"),
    [
        ([(182, 218, 182)], ["brats2024-gli", "brats2025-gli"]),
        ([(240, 240, 155), (182, 218, 182)], ["brats2025-gli"]),
    ],
)
def test_shapes_decide_between_equal_names(shapes, left):
    names = ["BraTS-GLI-00001-100-t1c.nii.gz"]
    if len(left) == 1:
        assert match_challenge(names, shapes).key == left[0]
        return
    with pytest.raises(UsageError) as caught:
        match_challenge(names, shapes)
    assert str(caught.value).count("brats") == len(left)
    assert all(key in str(caught.value) for key in left)


def test_ambiguous_names_are_an_error_with_the_keys():
    with pytest.raises(UsageError) as caught:
        match_challenge(["BraTS-SSA-00001-000"])
    message = str(caught.value)
    assert "brats2023-ssa, brats2024-ssa, brats2025-ssa" in message
    assert "--challenge" in message


@pytest.mark.parametrize("names", [[], ["liver_1.nii.gz", "README"]])
def test_names_of_no_challenge_are_an_error(names):
    with pytest.raises(UsageError, match="no name matches"):
        match_challenge(names)


def test_aliases_count_only_where_no_regular_name_matches():
    with pytest.raises(UsageError) as caught:
        match_challenge(["BraTS-GLI-00001-000"], [(240, 240, 155)])
    assert "goat" not in str(caught.value)


def test_shapes_of_no_challenge_exclude_nothing():
    with pytest.raises(UsageError, match="mbas2024, mbas2026"):
        match_challenge(["MBAS_001_label.nii.gz"], [(183, 140, 22)])


def test_an_unknown_challenge_is_an_error_with_the_known_keys():
    with pytest.raises(UsageError) as caught:
        load_challenge("brats1999")
    assert all(key in str(caught.value) for key in challenge_keys())


@pytest.mark.parametrize("key", ["", "../data/mbas2024", "MBAS2024", "mbas2024.txt"])
def test_keys_are_not_paths(key):
    with pytest.raises(UsageError, match="unknown challenge"):
        load_challenge(key)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BraTS-GLI-00001-000-t2f.nii.gz", ImageName("BraTS-GLI-00001-000", "t2f")),
        ("BraTS-GLI-00001-000-t2f.nii", ImageName("BraTS-GLI-00001-000", "t2f")),
        ("BraTS-GLI-00001-000-seg.nii.gz", ImageName("BraTS-GLI-00001-000", None)),
        ("BraTS-GLI-00001-000.nii.gz", None),
        ("BraTS-GLI-00001-000-t2f.nii.gz.part", None),
        ("BraTS-GLI-00001-000-T2F.nii.gz", None),
        ("BraTS-GLI-\u0661\u0662\u0663\u0664\u0665-000-t2f.nii.gz", None),
        ("BraTS-GLI-00001-000\n-t2f.nii.gz", None),
        ("-BraTS-GLI-00001-000-t2f.nii.gz", None),
        ("..%2fBraTS-GLI-00001-000-t2f.nii.gz", None),
    ],
)
def test_file_names_are_parsed_to_case_and_channel(glioma, name, expected):
    assert parse_name(name, glioma) == expected


@pytest.mark.parametrize(
    ("name", "stem"), [("a.b.nii.gz", "a.b"), ("a.nii", "a"), ("a.gz", None), ("nii", None)]
)
def test_nifti_stems(name, stem):
    assert nifti_stem(name) == stem
