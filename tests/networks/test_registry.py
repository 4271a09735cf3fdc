import subprocess
import sys

import pytest
import torch
from torch import nn

from segcube.core import UsageError
from segcube.networks import NETWORKS, build_network, count_channels, window_multiple
from segcube.networks.registry import count_parameters

STAGED = {
    "input_channels": 2,
    "num_classes": 3,
    "n_stages": 3,
    "features_per_stage": 4,
    "kernel_sizes": [[1, 3, 3], 3, 3],
    "strides": [1, [1, 2, 2], 2],
}
MBAS = {**STAGED, "n_blocks_per_stage": 1, "exp_ratio_per_stage": 1}
NNUNET = {**STAGED, "n_conv_per_stage_decoder": 1}
MONAI = {"in_channels": 2, "out_channels": 3}
TINY = {
    "MedNeXtV1": {**MONAI, "n_channels": 4, "block_counts": 1, "exp_r": 1},
    "MedNeXtV1MBAS": MBAS,
    "MedNeXtV2MBAS": MBAS,
    "PlainConvUNet": {**NNUNET, "n_conv_per_stage": 1},
    "ResidualEncoderUNet": {**NNUNET, "n_blocks_per_stage": 1},
    "ResidualUNet": {**NNUNET, "n_blocks_per_stage": 1},
    "DynUNet": {**MONAI, "kernel_size": [3, 3, 3], "strides": [1, [1, 2, 2], 2], "filters": [4, 4, 4]},
    "SegResNet": {**MONAI, "init_filters": 4, "norm": "BATCH"},
    "SwinUNETR": {**MONAI, "feature_size": 12, "depths": [1, 1, 1, 1], "window_size": 2},
    "UNet": {**MONAI, "features": [4, 4, 4], "strides": [[1, 2, 2], 2]},
}
MULTIPLES = {"MedNeXtV1": (16, 16, 16), "SegResNet": (8, 8, 8), "SwinUNETR": (32, 32, 32)}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_windows_of_its_multiple(name):
    multiple = window_multiple(name, TINY[name])
    assert multiple == MULTIPLES.get(name, (2, 4, 4))
    network = build_network(name, TINY[name]).eval()
    size = [2 * multiple[0], *multiple[1:]]
    with torch.inference_mode():
        assert network(torch.zeros(1, 2, *size)).shape == (1, 3, *size)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_tells_its_channels(name):
    assert count_channels(name, TINY[name]) == (2, 3)


def test_an_unknown_network_is_told_with_the_valid_ones():
    with pytest.raises(UsageError, match=r"unknown network 'UNETR'; expected one of MedNeXtV1, .*SwinUNETR"):
        build_network("UNETR", {})


@pytest.mark.parametrize("name", NETWORKS)
def test_an_unknown_key_is_told_with_the_valid_ones(name):
    with pytest.raises(
        UsageError, match=f"network {name}: unknown key 'depth'; valid keys there: .*_channels"
    ):
        build_network(name, {**TINY[name], "depth": 5})


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("MedNeXtV1", {"out_channels": 3}, "key 'in_channels' is missing"),
        ("MedNeXtV1", {**MONAI, "size": "XL"}, "'size' = 'XL': Input should be 'S', 'B', 'M' or 'L'"),
        ("MedNeXtV1", {**MONAI, "exp_r": [2, 3]}, r"'exp_r' = '\[2, 3\]'.*at least 9 items"),
        ("MedNeXtV1", {**MONAI, "kernel_size": 4}, "'kernel_size' = '4'.*only an odd kernel keeps the size"),
        ("MedNeXtV1", {**MONAI, "n_channels": "32"}, "'n_channels' = '32'.*valid integer"),
        ("MedNeXtV2MBAS", {**MBAS, "strides": 2}, "'strides'.*first stage must have stride 1"),
        (
            "MedNeXtV2MBAS",
            {**MBAS, "features_per_stage": [4, 4]},
            "'features_per_stage'.*2 entries.*asks for 3",
        ),
        (
            "MedNeXtV2MBAS",
            {**MBAS, "n_blocks_per_stage_decoder": [1]},
            "'n_blocks_per_stage_decoder'.*asks for 2",
        ),
        ("MedNeXtV1MBAS", {**MBAS, "strides": 2}, "'stem_kernel_size'.*must equal the first stage's stride"),
        ("MedNeXtV1MBAS", {**MBAS, "kernel_sizes": [3, [3, 2, 3], 3]}, "'kernel_sizes.1.1' = '2'.*odd"),
    ],
)
def test_a_wrong_value_is_told_with_its_key(name, arguments, words):
    with pytest.raises(UsageError, match=words):
        window_multiple(name, arguments)


def test_shared_parameters_count_once():
    layer = nn.Linear(3, 2)
    assert count_parameters(nn.Sequential(layer, nn.Sequential(layer))) == 3 * 2 + 2


def test_importing_the_networks_leaves_monai_and_nnunet_aside():
    code = (
        "import sys, segcube.networks; "
        "print([m for m in ('torch', 'monai', 'dynamic_network_architectures') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "['torch']"
