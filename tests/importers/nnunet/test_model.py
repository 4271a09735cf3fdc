import pytest
import torch

from segcube.core import EnvironmentFault, UsageError
from segcube.importers.nnunet.model import read_folder


def test_a_folder_gives_its_configuration_mirrors_and_numbered_folds(folder):
    model = read_folder(folder(folds=("0", "3", "10", "all")))

    assert model.name == "3d_fullres"
    assert model.mirrors == (0, 2)
    assert list(model.folds) == ["0", "3", "10"]


def test_fold_all_serves_where_no_other_is_there(folder):
    assert list(read_folder(folder(folds=("all",))).folds) == ["all"]


def test_folds_are_taken_as_they_are_asked_for(folder):
    assert list(read_folder(folder(folds=("0", "1", "all")), ("1", "all")).folds) == ["1", "all"]


def test_a_fold_that_is_not_there_is_told_with_those_that_are(folder):
    with pytest.raises(UsageError, match=r"fold_4; expected fold_0, fold_1"):
        read_folder(folder(folds=("0", "1")), ("0", "4"))


def test_another_checkpoint_is_pointed_at(folder):
    source = folder(file="checkpoint_best.pth")

    with pytest.raises(UsageError, match=r"there is checkpoint_best\.pth: see --checkpoint"):
        read_folder(source)
    assert list(read_folder(source, checkpoint="best").folds) == ["0"]


def test_weights_are_read_under_the_networks_own_names(folder, made):
    saved = made.checkpoint()
    weights = saved["network_weights"]
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in weights.items()}

    state = read_folder(folder(saved=saved | {"network_weights": wrapped})).folds["0"].read()

    assert state.keys() == weights.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in weights.items())


def test_a_checkpoint_without_mirrors_allows_none(folder, made):
    assert read_folder(folder(saved=made.checkpoint(inference_allowed_mirroring_axes=None))).mirrors == ()


def test_what_is_no_checkpoint_of_nnunet_is_told(folder):
    with pytest.raises(EnvironmentFault, match=r"holds state_dict; expected network_weights"):
        read_folder(folder(saved={"state_dict": {}}))


@pytest.mark.parametrize("name", ["plans.json", "dataset.json"])
def test_a_missing_or_broken_file_is_named(folder, name):
    source = folder()
    (source / name).write_text("{")
    with pytest.raises(EnvironmentFault, match=rf"{name}: cannot be read"):
        read_folder(source)
    (source / name).unlink()
    with pytest.raises(EnvironmentFault, match=rf"{name}: no such file"):
        read_folder(source)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a\nb", "", "x" * 200])
def test_a_configuration_that_no_file_can_be_named_after_is_refused(folder, made, name):
    place = folder(made.plans(name), None, made.checkpoint(name=name))
    with pytest.raises(EnvironmentFault, match=r"a configuration or fold of the name '.*'; expected letters"):
        read_folder(place)
