from __future__ import annotations

import numpy as np
import pytest

from segcube.core import Case, UsageError
from segcube.formats import case_of, volume_of

NAME = "BraTS-GLI-00001-000"
FILES = {channel: f"{NAME}-{channel}.nii.gz" for channel in ("t1c", "t1n", "t2f", "t2w")}


@pytest.mark.parametrize("given", [FILES, Case(NAME, FILES, "t1c")], ids=["mapping", "Case"])
def test_files_may_be_texts(glioma, given):
    case = case_of(given, glioma)
    assert case.reference_file.name == f"{NAME}-t1c.nii.gz"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "the case 3; expected a path"),
        ("a\0b", "the case 'a.x00b'; expected a path"),
        ({"t1c": None}, "the file of t1c None; expected a path"),
        ({"ct": "a.nii.gz"}, "channels ct; expected t1c, t1n, t2f, t2w"),
        (Case("a/b", FILES, "t1c"), "the case name 'a/b'"),
        (Case("a", None, "t1c"), "files None; expected a mapping from t1c"),
        (Case("a", FILES, "ct"), "a: the reference channel 'ct'; expected one of t1c"),
    ],
)
def test_what_is_no_case_is_refused(glioma, given, message):
    with pytest.raises(UsageError, match=message):
        case_of(given, glioma)


def test_one_file_is_no_case(tmp_path, glioma):
    file = tmp_path / FILES["t1c"]
    file.write_bytes(b"a scan")
    with pytest.raises(UsageError, match=r"is a file; expected the folder of a case; .*\{channel: file\}"):
        case_of(str(file), glioma)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_cxyz": [[1], [2, 3]]}, "the image is no array"),
        ({"affine": [[1], [2, 3]]}, "the affine is no array"),
        ({"affine": None}, r"the affine None; expected numbers of shape \(4, 4\)"),
        ({"channels": "t1c"}, "channels='t1c'; expected a list of names"),
        ({"channels": 3}, "channels=3; expected a list of names"),
        ({"name": 3}, "the case name 3"),
    ],
)
def test_arrays_of_other_types_are_refused(glioma, change, message):
    given = {"image_cxyz": np.ones((4, 8, 8, 8)), "affine": np.eye(4), "channels": None, "name": "array"}
    with pytest.raises(UsageError, match=message):
        volume_of(**given | change, challenge=glioma)
