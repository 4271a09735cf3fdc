from typing import get_args

import pytest
import torch
from torch import nn

from segcube.core import UsageError
from segcube.networks import build_network
from segcube.networks.arguments import Conv, Dropout, Nonlinearity, Normalization
from segcube.networks.blocks import torch_class

from .parameters import count_parameters

NAMES = ["PlainConvUNet", "ResidualEncoderUNet", "ResidualUNet"]
# As nnU-Net v2 writes it into plans.json, with what it adds when it builds.
PLANS = {
    "input_channels": 1,
    "num_classes": 2,
    "n_stages": 6,
    "features_per_stage": [32, 32, 64, 96, 96, 96],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2], [1, 2, 2]],
    "n_blocks_per_stage": [1, 3, 4, 6, 6, 6],
    "n_conv_per_stage_decoder": [1, 1, 1, 1, 1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
STAGE_2 = {
    **PLANS,
    "num_classes": 4,
    "n_stages": 7,
    "features_per_stage": [32, 64, 128, 256, 320, 320, 320],
    "kernel_sizes": [[1, 3, 3], [1, 3, 3], 3, 3, 3, 3, 3],
    "strides": [1, [1, 2, 2], [1, 2, 2], 2, 2, [1, 2, 2], [1, 2, 2]],
    "n_blocks_per_stage": [1, 3, 4, 6, 6, 6, 6],
    "n_conv_per_stage_decoder": 1,
}


def tiny(name, **arguments):
    torch.manual_seed(0)
    blocks = "n_conv_per_stage" if name == "PlainConvUNet" else "n_blocks_per_stage"
    small = {"n_stages": 3, "features_per_stage": [4, 6, 8], "kernel_sizes": 3, "strides": [1, [1, 2, 2], 2]}
    plans = {key: value for key, value in PLANS.items() if key != "n_blocks_per_stage"}
    return build_network(name, {**plans, **small, "n_conv_per_stage_decoder": 1, blocks: 1, **arguments})


def test_the_first_stage_has_the_published_parameters_with_dropout_or_without():
    dropout = {"dropout_op": "torch.nn.Dropout3d", "dropout_op_kwargs": {"p": 0.5, "inplace": True}}
    with torch.device("meta"):
        assert count_parameters(build_network("ResidualEncoderUNet", {**PLANS, **dropout})) == 11_345_866


def test_the_second_stage_has_the_published_parameters():
    with torch.device("meta"):
        assert count_parameters(build_network("ResidualEncoderUNet", STAGE_2)) == 140_404_440


@pytest.mark.parametrize("name", NAMES)
def test_deep_supervision_is_for_training_alone(name):
    network, image = tiny(name, deep_supervision=True), torch.zeros(1, 1, 4, 8, 12)
    assert [tuple(output.shape[2:]) for output in network(image)] == [(4, 8, 12), (4, 4, 6)]
    assert network.eval()(image).shape == (1, 2, 4, 8, 12)
    assert len(network.train()(image)) == 2


def test_without_deep_supervision_training_gives_one_tensor():
    assert tiny("PlainConvUNet")(torch.zeros(1, 1, 4, 8, 12)).shape == (1, 2, 4, 8, 12)


def test_a_block_is_named_with_dots():
    place = "dynamic_network_architectures.building_blocks.residual"
    network = tiny("ResidualEncoderUNet", block=f"{place}.BottleneckD", bottleneck_channels=2)
    assert "encoder.stages.0.blocks.0.conv3.conv.weight" in network.state_dict()


def test_other_dotted_names_are_refused():
    for key in (
        "conv_op",
        "norm_op",
        "nonlin",
        "dropout_op",
    ):
        with pytest.raises(UsageError, match=f"'{key}' is 'os.system': Input should be .*'torch.nn"):
            tiny("PlainConvUNet", **{key: "os.system"})


def test_every_name_that_the_arguments_allow_is_a_class_of_torch():
    for names in (Conv, Dropout, Nonlinearity, Normalization):
        assert all(issubclass(torch_class(name), nn.Module) for name in get_args(names))


def test_options_that_a_layer_refuses_are_reported():
    with pytest.raises(UsageError, match=r"PlainConvUNet cannot be built.*slope"):
        tiny("PlainConvUNet", nonlin_kwargs={"slope": 0.1})
