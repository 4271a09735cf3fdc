"""Which submission a run uses where none is named."""

from __future__ import annotations

import pytest

from segcube.core import RunSettings, UsageError
from segcube.inference.folder import Request
from segcube.inference.folder.request import select


@pytest.mark.parametrize(
    ("challenge", "found", "expected"),
    [
        ("auto", "no case", "brats2023-gli"),
        ("mbas2024", "no case of mbas2024", "MBAS_"),
        ("mbas2026", "no submission in .* serves mbas2026", "mbas2024"),
    ],
)
def test_a_folder_without_cases_is_an_error_that_names_the_challenge(tmp_path, challenge, found, expected):
    request = Request(data=tmp_path, output=tmp_path / "out", settings=RunSettings(challenge=challenge))
    with pytest.raises(UsageError, match=found) as raised:
        select(request)
    assert expected in raised.value.expected
