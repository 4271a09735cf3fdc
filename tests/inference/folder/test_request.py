"""Which submission a run uses where none is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segcube.core import RunSettings, UsageError
from segcube.inference.folder import Request
from segcube.inference.folder.request import select
from segcube.spec.challenges import load_challenge
from segcube.spec.hosts import BUILT_IN_WEIGHTS


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


@pytest.fixture
def scans(tmp_path):
    """Write empty files for cases, by their folder."""

    def write(**names):
        for place, name in names.items():
            challenge = load_challenge("mbas2024" if name.startswith("MBAS") else "brats2023-gli")
            folder = tmp_path / "data" / place
            folder.mkdir(parents=True)
            for channel in challenge.channels:
                (folder / f"{name}{channel.suffixes[0]}.nii.gz").touch()
        return tmp_path / "data"

    return write


def request_of(data, **settings):
    return Request(data=data, output=data.parent / "out", settings=RunSettings(**settings))


def test_cases_of_two_challenges_are_ambiguous_even_where_one_lies_too_deep(scans):
    data = scans(**{"a/b/c": "BraTS-GLI-00001-000", "mbas": "MBAS_001"})
    with pytest.raises(UsageError, match=r"cases of mbas2024, brats2023-gli.*--challenge"):
        select(request_of(data))
    loaded, found = select(request_of(data, challenge="mbas2024"))
    assert (loaded.submission.name, len(found.cases)) == ("mbas-starter", 1)


def test_cases_of_two_challenges_that_one_submission_serves_are_not_ambiguous(scans):
    data = scans(
        **{"BraTS-SSA-00001-000": "BraTS-SSA-00001-000", "BraTS-GLI-00001-000": "BraTS-GLI-00001-000"}
    )
    loaded, found = select(request_of(data))
    assert (loaded.challenge.key, len(found.cases)) == ("brats2023-gli", 1)


def test_names_of_a_challenge_that_the_submission_does_not_serve_are_an_error(scans):
    data = scans(MBAS_001="MBAS_001")
    request = replace(request_of(data), weights=BUILT_IN_WEIGHTS / "brats-starter")
    with pytest.raises(UsageError, match="they fit mbas2024, which brats-starter does not serve"):
        select(request)
