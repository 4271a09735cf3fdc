from __future__ import annotations

import pytest

from segcube.spec.challenges import nifti_stem, parse_name
from segcube.spec.challenges.catalogue import ImageName


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
def test_a_name_gives_case_and_channel(glioma, name, expected):
    assert parse_name(name, glioma) == expected


@pytest.mark.parametrize(
    ("name", "stem"), [("a.b.nii.gz", "a.b"), ("a.nii", "a"), ("a.gz", None), ("nii", None)]
)
def test_the_stem_of_a_nifti_file(name, stem):
    assert nifti_stem(name) == stem
