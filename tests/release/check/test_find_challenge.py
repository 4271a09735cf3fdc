from __future__ import annotations

import pytest

from segcube.core import UsageError
from segcube.release.check.input import find_challenge

from .made_maps import NAMES, write_data, write_image


def test_what_is_named_is_taken(tmp_path):
    assert find_challenge(tmp_path / "none", "mbas2024").key == "mbas2024"


def test_the_names_of_files_decide(tmp_path):
    write_image(tmp_path / "a" / "b" / "MBAS_001_gt.nii.gz", 0)
    assert find_challenge(tmp_path, None).key == "mbas2024"


def test_several_that_fit_are_listed(tmp_path):
    write_data(tmp_path, NAMES[:1])
    with pytest.raises(UsageError, match="brats2023-gli, brats2025-gli"):
        find_challenge(tmp_path, None)


def test_a_folder_that_is_none_is_usage(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        find_challenge(tmp_path / "none", None)
