import pytest

from .made_maps import write_data, write_sound


@pytest.fixture
def data(tmp_path):
    """Sound cases of brats2023-gli."""
    write_data(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def maps(tmp_path, data):
    """Their sound maps."""
    write_sound(tmp_path / "maps", data)
    return tmp_path / "maps"
