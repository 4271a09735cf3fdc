import copy
from typing import Any

import pytest
import torch

from segcube.networks import build_network
from segcube.training.plan import checkpoint_blocks
from segcube.training.plan.memory import simulate_peak_gb

UNET = {
    "input_channels": 1,
    "num_classes": 2,
    "n_stages": 3,
    "features_per_stage": (4, 8, 8),
    "kernel_sizes": 3,
    "strides": (1, 2, 2),
    "n_conv_per_stage_decoder": 1,
    "norm_op": "torch.nn.InstanceNorm3d",
    "norm_op_kwargs": {"affine": True},
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
    "deep_supervision": True,
}
NETWORKS = {
    # Three stages of the encoder and two of the decoder
    "PlainConvUNet": (UNET | {"n_conv_per_stage": 2}, 5),
    # Stem, 1 + 2 + 2 blocks and the decoder
    "ResidualEncoderUNet": (UNET | {"n_blocks_per_stage": (1, 2, 2)}, 8),
    # Nine stages of 2 blocks, four downsamplings and four upsamplings
    "MedNeXtV1": ({"in_channels": 1, "out_channels": 2, "n_channels": 2, "deep_supervision": True}, 26),
}


def gradients_of(network: torch.nn.Module, image_bcxyz: torch.Tensor) -> dict[str, torch.Tensor]:
    network.zero_grad()
    outputs: Any = network(image_bcxyz)
    sum(level.square().mean() for level in outputs).backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_names_of_weights_stay_the_same(name):
    arguments, blocks = NETWORKS[name]
    torch.manual_seed(0)
    network = build_network(name, arguments).train()
    image_bcxyz = torch.randn(1, 1, 32, 32, 32)
    expected, names = gradients_of(network, image_bcxyz), list(network.state_dict())

    assert checkpoint_blocks(network) == blocks

    found = gradients_of(network, image_bcxyz)
    assert list(network.state_dict()) == names
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


def test_a_copy_of_the_network_uses_its_own_weights():
    network = build_network("PlainConvUNet", NETWORKS["PlainConvUNet"][0]).train()
    checkpoint_blocks(network)
    image_bcxyz = torch.randn(1, 1, 8, 8, 8)
    twin = copy.deepcopy(network).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        assert twin(image_bcxyz).abs().sum() > 0
        assert network.eval()(image_bcxyz).abs().sum() == 0


def test_dropout_is_repeated_for_the_gradient():
    torch.manual_seed(0)
    arguments = UNET | {
        "n_conv_per_stage": 1,
        "dropout_op": "torch.nn.Dropout3d",
        "dropout_op_kwargs": {"p": 0.5},
    }
    network = build_network("PlainConvUNet", arguments).train()
    image_bcxyz = torch.randn(1, 1, 8, 8, 8)
    torch.manual_seed(1)
    expected = gradients_of(network, image_bcxyz)
    checkpoint_blocks(network)
    torch.manual_seed(1)
    found = gradients_of(network, image_bcxyz)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_less_memory_is_needed(name):
    arguments, _ = NETWORKS[name]
    with torch.device("meta"):
        network, checkpointed = (build_network(name, arguments).train() for _ in range(2))
    checkpoint_blocks(checkpointed)
    shape = (2, 1, 64, 64, 64)
    assert simulate_peak_gb(checkpointed, shape) < 0.85 * simulate_peak_gb(network, shape)
