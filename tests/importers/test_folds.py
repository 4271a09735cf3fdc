import pytest

from segcube.core import EnvironmentFault
from segcube.importers.sources import choose_folds


@pytest.fixture
def model(tmp_path):
    for name in ("fold_10", "fold_2", "all"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.model").touch()
    (tmp_path / "fold_3").mkdir()
    return tmp_path


def test_numbered_folds_come_in_order(model):
    assert list(choose_folds(model, (), "w.model")) == ["fold_2", "fold_10"]


def test_folds_may_be_chosen(model):
    assert choose_folds(model, ("all", "2"), "w.model") == {"all": model / "all", "fold_2": model / "fold_2"}


def test_all_serves_where_there_is_no_number(tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "w.model").touch()
    assert list(choose_folds(tmp_path, (), "w.model")) == ["all"]


def test_a_fold_without_the_checkpoint_is_not_there(model):
    with pytest.raises(EnvironmentFault, match=r"no fold 3 with a w.model; expected folds among 2, 10, all"):
        choose_folds(model, ("3",), "w.model")


def test_a_folder_without_folds_is_told(tmp_path):
    with pytest.raises(EnvironmentFault, match="no fold at all"):
        choose_folds(tmp_path, (), "w.model")
