from itertools import count

import pytest
import torch

from segcube.core import EnvironmentFault, UsageError
from segcube.importers.nnunet.model import network_of, read_folder


def test_a_folder_gives_its_configuration_mirrors_and_numbered_folds(folder):
    model = read_folder(folder(folds=("0", "3", "10", "all")))

    assert model.name == "3d_fullres"
    assert model.mirror_axes == (0, 2)
    assert list(model.folds) == ["0", "3", "10"]


def test_fold_all_serves_where_no_other_is_there(folder):
    assert list(read_folder(folder(folds=("all",))).folds) == ["all"]


def test_folds_are_taken_as_they_are_asked_for(folder):
    assert list(read_folder(folder(folds=("0", "1", "all")), ("1", "all")).folds) == ["1", "all"]


def test_a_missing_fold_is_refused_with_the_available_ones(folder):
    with pytest.raises(UsageError, match=r"fold_4; expected fold_0, fold_1"):
        read_folder(folder(folds=("0", "1")), ("0", "4"))


def test_another_checkpoint_is_suggested(folder):
    source = folder(file="checkpoint_best.pth")

    with pytest.raises(UsageError, match=r"there is checkpoint_best\.pth: see --checkpoint"):
        read_folder(source)
    assert list(read_folder(source, checkpoint="best").folds) == ["0"]


def test_weights_are_read_under_the_networks_own_names(folder, made):
    saved = made.checkpoint()
    weights = saved["network_weights"]
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in weights.items()}

    model = read_folder(folder(saved=saved | {"network_weights": wrapped}))
    state = model.load(model.folds["0"])

    assert state.keys() == weights.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in weights.items())


def test_a_checkpoint_without_mirrors_allows_none(folder, made):
    assert read_folder(folder(saved=made.checkpoint(inference_allowed_mirroring_axes=None))).mirror_axes == ()


def test_another_checkpoint_than_of_nnunet_is_refused(folder):
    with pytest.raises(EnvironmentFault, match="'network_weights' is missing"):
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


def test_a_configuration_that_cannot_be_a_file_name_is_refused(folder, made):
    for name in (
        "../evil",
        "/tmp/evil",
        "a\nb",
        "",
        "x" * 200,
    ):
        place = folder(made.plans(name), None, made.checkpoint(name=name), name=f"model {len(name)}")
        with pytest.raises(
            EnvironmentFault, match=r"a configuration or fold of the name '.*'; expected letters"
        ):
            read_folder(place)


@pytest.fixture
def network(folder, made):
    """The network of plans that name this class, with these arguments besides."""
    names = map(str, count())

    def read(kind, trainer="nnUNetTrainer", **arguments):
        plans = made.plans()
        architecture = plans["configurations"]["3d_fullres"]["architecture"]
        architecture["network_class_name"] = kind
        architecture["arch_kwargs"] |= arguments
        return network_of(
            read_folder(folder(plans, None, made.checkpoint(trainer_name=trainer), name=next(names))), 1, 4
        )

    return read


def test_every_known_class_has_its_network(network):
    for kind, name in (
        ("dynamic_network_architectures.architectures.unet.PlainConvUNet", "PlainConvUNet"),
        ("dynamic_network_architectures.architectures.unet.ResidualEncoderUNet", "ResidualEncoderUNet"),
        (
            "dynamic_network_architectures.architectures.residual_unet.ResidualEncoderUNet",
            "ResidualEncoderUNet",
        ),
        ("dynamic_network_architectures.architectures.unet.ResidualUNet", "ResidualUNet"),
        ("mbas.architectures.MedNeXt.MedNeXt", "MedNeXtV1MBAS"),
        ("mbas.architectures.MedNeXtV2.MedNeXtV2", "MedNeXtV2MBAS"),
    ):
        found, arguments = network(kind, deep_supervision=True)

        assert found == name
        assert (arguments["input_channels"], arguments["num_classes"]) == (1, 4)
        assert "deep_supervision" not in arguments


def test_the_earlier_mednext_of_mbas_strides_with_its_stems_kernel(network):
    _, arguments = network("mbas.architectures.MedNeXt_July.MedNeXt_July", stem_kernel_size=1)

    assert (arguments["override_down_kernel_size"], arguments["down_kernel_size"]) == (True, 1)


def test_the_trainer_with_batch_norm_overrules_the_plans(network):
    _, arguments = network(
        "dynamic_network_architectures.architectures.unet.PlainConvUNet", "nnUNetTrainerBN"
    )

    assert arguments["norm_op"] == "torch.nn.BatchNorm3d"


def test_another_class_is_refused_by_name(network):
    for kind in (
        "dynamic_network_architectures.primus.Primus",
        "evil.PlainConvUNet",
    ):
        with pytest.raises(EnvironmentFault, match=f"network {kind}; expected one of dynamic_network"):
            network(kind)
