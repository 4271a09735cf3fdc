from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segcube.backends import MemberFile, member_files
from segcube.submission import load_for


@pytest.fixture
def member(tumour_submission: Path) -> MemberFile:
    """The first of two compiled members: 4 channels to 3 regions, windows of 16 x 16 x 32."""
    return members_of(tumour_submission)[0]


@pytest.fixture
def told() -> list[str]:
    return []


def members_of(folder: Path) -> list[MemberFile]:
    return list(member_files(load_for(folder).submission, folder))


@pytest.fixture
def members() -> Callable[[Path], list[MemberFile]]:
    return members_of
