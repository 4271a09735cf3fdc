import zipfile

import pytest

from segcube.core import EnvironmentFault
from segcube.importers import opened_source


def test_a_folder_stands_for_the_only_one_within(tmp_path):
    (tmp_path / "Dataset001" / "trainer" / "fold_0").mkdir(parents=True)
    with opened_source(tmp_path, tmp_path / "out") as folder:
        assert folder == tmp_path / "Dataset001" / "trainer"


def test_an_archive_is_unpacked_and_cleared(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("m/plans.json", "{}")
    with opened_source(tmp_path / "m.zip", tmp_path / "weights" / "out") as folder:
        assert [file.name for file in folder.iterdir()] == ["plans.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["m.zip"]


def test_a_file_is_taken_as_it_is(tmp_path):
    (tmp_path / "a.ckpt").touch()
    with opened_source(tmp_path / "a.ckpt", tmp_path / "out") as file:
        assert file == tmp_path / "a.ckpt"


def test_a_missing_source_is_told(tmp_path):
    with pytest.raises(EnvironmentFault, match="no such file"), opened_source(tmp_path / "a", tmp_path / "o"):
        pass


def test_an_archive_that_reaches_out_leaves_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("m/plans.json", "{}")
        archive.writestr("../../evil", "")
    opened = opened_source(tmp_path / "m.zip", tmp_path / "out")
    with pytest.raises(EnvironmentFault, match="outside its folder"), opened:
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["m.zip"]
