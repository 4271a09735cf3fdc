import pytest

from .label_maps import write_data, write_valid_maps


@pytest.fixture
def data(tmp_path):
    """Valid cases of brats2023-gli."""
    write_data(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def maps(tmp_path, data):
    """Their valid maps."""
    write_valid_maps(tmp_path / "maps", data)
    return tmp_path / "maps"
