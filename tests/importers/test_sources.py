import zipfile

import pytest
import torch

from segcube.core import EnvironmentFault, UsageError
from segcube.importers.sources import choose_folds, network_entries, opened_source


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


def test_a_missing_source_is_refused(tmp_path):
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


@pytest.fixture
def model(tmp_path):
    for name in ("fold_10", "fold_2", "all"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "w.model").touch()
    (tmp_path / "fold_3").mkdir()
    return tmp_path


def test_numbered_folds_come_in_order(model):
    assert list(choose_folds(model, (), "w.model")) == ["2", "10"]


def test_folds_may_be_chosen(model):
    assert choose_folds(model, ("all", "2"), "w.model") == {
        "all": model / "all" / "w.model",
        "2": model / "fold_2" / "w.model",
    }


def test_all_serves_where_there_is_no_number(tmp_path):
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "w.model").touch()
    assert list(choose_folds(tmp_path, (), "w.model")) == ["all"]


def test_a_fold_without_the_checkpoint_is_not_there(model):
    with pytest.raises(UsageError, match=r"no w.model of fold_3; expected fold_all, fold_10, fold_2"):
        choose_folds(model, ("3",), "w.model")


def test_a_folder_without_folds_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no w\.model of any fold"):
        choose_folds(tmp_path, (), "w.model")


ONE = torch.ones(1)


def test_any_prefix_is_found():
    for prefix in ("", "model.", "model._orig_mod."):
        found = network_entries({f"{prefix}stem.weight": ONE, f"{prefix}out.bias": ONE}, "stem.weight")
        assert (found.prefix, list(found.state), found.others) == (prefix, ["stem.weight", "out.bias"], ())
        assert found.notes() == ()


def test_entries_outside_the_prefix_belong_to_the_trainer():
    found = network_entries({"model.stem.weight": ONE, "loss.w": ONE, "epoch": 3}, "stem.weight")
    assert found.others == ("loss.w",)
    assert "loss.w" in found.notes()[0]


def test_two_networks_need_a_prefix():
    state = {"model.stem.weight": ONE, "ema.model.stem.weight": 2 * ONE}
    with pytest.raises(EnvironmentFault, match=r"'model.', 'ema.model.'; expected one network; .*--prefix"):
        network_entries(state, "stem.weight", hint="use --prefix")
    assert network_entries(state, "stem.weight", "ema.model.").state["stem.weight"] == 2


def test_another_network_is_refused():
    with pytest.raises(EnvironmentFault, match=r"prefixes of stem.weight are none"):
        network_entries({"conv.weight": ONE, "mystem.weight": ONE}, "stem.weight")
    with pytest.raises(EnvironmentFault, match="no state_dict but a list"):
        network_entries([], "stem.weight")
