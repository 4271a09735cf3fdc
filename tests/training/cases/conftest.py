from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .labelled import Damaged, make_data


@pytest.fixture(scope="session")
def valid_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six valid labelled cases, created once: to be read or copied, never changed."""
    return make_data(tmp_path_factory.mktemp("labelled") / "data")


@pytest.fixture
def damaged(tmp_path: Path, valid_data: Path) -> Damaged:
    """A copy of them to damage."""
    return Damaged(Path(shutil.copytree(valid_data, tmp_path / "data")))
