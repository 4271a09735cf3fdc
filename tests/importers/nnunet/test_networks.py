import pytest

from segcube.core import EnvironmentFault
from segcube.importers.nnunet.model import network_of, read_folder


@pytest.fixture
def network(folder, made):
    """The network of plans that name this class, with these arguments besides."""

    def read(kind, trainer="nnUNetTrainer", **arguments):
        plans = made.plans()
        architecture = plans["configurations"]["3d_fullres"]["architecture"]
        architecture["network_class_name"] = kind
        architecture["arch_kwargs"] |= arguments
        return network_of(
            read_folder(folder(own_plans=plans, saved=made.checkpoint(trainer_name=trainer))), 1, 4
        )

    return read


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("dynamic_network_architectures.architectures.unet.PlainConvUNet", "PlainConvUNet"),
        ("dynamic_network_architectures.architectures.unet.ResidualEncoderUNet", "ResidualEncoderUNet"),
        (
            "dynamic_network_architectures.architectures.residual_unet.ResidualEncoderUNet",
            "ResidualEncoderUNet",
        ),
        ("dynamic_network_architectures.architectures.unet.ResidualUNet", "ResidualUNet"),
        ("mbas.architectures.MedNeXt.MedNeXt", "MedNeXtV1MBAS"),
        ("mbas.architectures.MedNeXtV2.MedNeXtV2", "MedNeXtV2MBAS"),
    ],
)
def test_every_known_class_has_its_network(network, kind, name):
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


@pytest.mark.parametrize("kind", ["dynamic_network_architectures.primus.Primus", "evil.PlainConvUNet"])
def test_another_class_is_refused_by_name(network, kind):
    with pytest.raises(EnvironmentFault, match=f"network {kind}; expected one of dynamic_network"):
        network(kind)
