from __future__ import annotations

import pytest

from segcube.core import UsageError
from segcube.spec.challenges import challenge_keys, load_challenge, match_challenge, nifti_stem, parse_name
from segcube.spec.challenges.catalogue import ImageName


def test_names_identify_the_challenge():
    expected = {
        "BraTS2021_00001_flair.nii.gz": "brats2021-gli",
        "BraTS2021_00001": "brats2021-gli",
        "MBAS_001_gt.nii.gz": "mbas2024",
        "BraTS-PED-00001": "brats2026-ped",
        "BraTS-GoAT-00001-000-t1c.nii.gz": "brats2026-goat",
        "BraTS-MET-00001.nii.gz": "brats2026-met",
    }
    assert {name: match_challenge([name]).key for name in expected} == expected
    assert match_challenge(["MBAS_001_image.nii.gz", "MBAS_001_label.nii.gz"]).key == "mbas2026"


def test_shapes_decide_between_equal_names():
    names = ["BraTS-GLI-00001-100-t1c.nii.gz"]
    assert match_challenge(names, [(240, 240, 155), (182, 218, 182)]).key == "brats2025-gli"
    with pytest.raises(UsageError, match="expected one of brats2024-gli, brats2025-gli;"):
        match_challenge(names, [(182, 218, 182)])


def test_ambiguous_names_are_an_error_with_the_keys():
    with pytest.raises(UsageError) as caught:
        match_challenge(["BraTS-SSA-00001-000"])
    message = str(caught.value)
    assert "brats2023-ssa, brats2024-ssa, brats2025-ssa" in message
    assert "--challenge" in message


def test_names_of_no_challenge_are_an_error():
    for names in ([], ["liver_1.nii.gz", "README"]):
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


def test_keys_are_not_paths():
    for key in ("", "../data/mbas2024", "MBAS2024", "mbas2024.txt"):
        with pytest.raises(UsageError, match="unknown challenge"):
            load_challenge(key)


def test_file_names_are_parsed_to_case_and_channel(glioma):
    case = "BraTS-GLI-00001-000"
    assert parse_name(f"{case}-t2f.nii.gz", glioma) == ImageName(case, ("t2f",))
    assert parse_name(f"{case}-t2f.nii", glioma) == ImageName(case, ("t2f",))
    assert parse_name(f"{case}-seg.nii.gz", glioma) == ImageName(case, ())


def test_other_file_names_are_not_parsed(glioma):
    names = (
        "BraTS-GLI-00001-000.nii.gz",
        "BraTS-GLI-00001-000-t2f.nii.gz.part",
        "BraTS-GLI-00001-000-T2F.nii.gz",
        "BraTS-GLI-\u0661\u0662\u0663\u0664\u0665-000-t2f.nii.gz",
        "BraTS-GLI-00001-000\n-t2f.nii.gz",
        "-BraTS-GLI-00001-000-t2f.nii.gz",
        "..%2fBraTS-GLI-00001-000-t2f.nii.gz",
    )
    assert [name for name in names if parse_name(name, glioma) is not None] == []


def test_nifti_stems():
    stems = {"a.b.nii.gz": "a.b", "a.nii": "a", "a.gz": None, "nii": None}
    assert {name: nifti_stem(name) for name in stems} == stems
