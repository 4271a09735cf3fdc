import subprocess
import sys

import pytest
import torch

from segcube.core import EnvironmentFault, UsageError
from segcube.networks import NETWORKS, build_network, count_channels, save_network, window_multiple

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
    assert count_channels(name, TINY[name]) == (2, 3)
    network = build_network(name, TINY[name]).eval()
    size = [2 * multiple[0], *multiple[1:]]
    with torch.inference_mode():
        assert network(torch.zeros(1, 2, *size)).shape == (1, 3, *size)


def test_an_unknown_network_is_refused_with_the_valid_names():
    with pytest.raises(UsageError, match=r"unknown network 'UNETR'; expected one of MedNeXtV1, .*SwinUNETR"):
        build_network("UNETR", {})


def test_an_unknown_key_is_refused_with_the_valid_keys():
    with pytest.raises(UsageError, match=r"network UNet: unknown key 'depth'; valid keys: .*_channels"):
        build_network("UNet", {**TINY["UNet"], "depth": 5})


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("MedNeXtV1", {"out_channels": 3}, "key 'in_channels' is missing"),
        ("MedNeXtV1", {**MONAI, "size": "XL"}, "'size' is 'XL': Input should be 'S', 'B', 'M' or 'L'"),
        ("MedNeXtV1", {**MONAI, "exp_r": [2, 3]}, r"'exp_r' is \[2, 3\].*at least 9 items"),
        ("MedNeXtV1", {**MONAI, "kernel_size": 4}, "'kernel_size' is 4.*only an odd kernel keeps the size"),
        ("MedNeXtV1", {**MONAI, "n_channels": "32"}, "'n_channels' is '32'.*valid integer"),
        ("MedNeXtV2MBAS", {**MBAS, "strides": 2}, "'strides'.*first stage must have stride 1"),
        (
            "MedNeXtV2MBAS",
            {**MBAS, "features_per_stage": [4, 4]},
            "'features_per_stage'.*2 entries.*requires 3",
        ),
        (
            "MedNeXtV2MBAS",
            {**MBAS, "n_blocks_per_stage_decoder": [1]},
            "'n_blocks_per_stage_decoder'.*requires 2",
        ),
        ("MedNeXtV1MBAS", {**MBAS, "strides": 2}, "'stem_kernel_size'.*must equal the first stage's stride"),
        ("MedNeXtV1MBAS", {**MBAS, "kernel_sizes": [3, [3, 2, 3], 3]}, "'kernel_sizes.1.1' is 2.*odd"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(name, arguments, words):
    with pytest.raises(UsageError, match=words):
        window_multiple(name, arguments)


def test_arguments_and_cards_are_read_without_torch(tmp_path):
    file = tmp_path / "weights.safetensors"
    save_network(build_network("UNet", TINY["UNet"]), "UNet", TINY["UNet"], file)
    code = (
        "import sys, pathlib; from segcube.networks import count_channels, read_metadata, window_multiple; "
        "card = read_metadata(pathlib.Path(sys.argv[1])); "
        "print(count_channels(card.network, card.arguments), window_multiple(card.network, card.arguments)); "
        "print([m for m in ('torch', 'monai', 'dynamic_network_architectures') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["(2, 3) (2, 4, 4)", "[]"]


def test_monai_is_named_with_its_extra_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai", None)
    for name in [name for name in sys.modules if name.startswith("monai.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "segcube.networks.monai_networks", raising=False)
    with pytest.raises(EnvironmentFault, match=r"monai is not installed; pip install 'segcube\[torch\]'"):
        build_network("UNet", TINY["UNet"])
