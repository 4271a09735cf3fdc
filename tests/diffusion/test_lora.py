import copy

import pytest
import torch
from monai.networks.nets import DiffusionModelUNet
from torch import nn

from segcube.core import UsageError
from segcube.diffusion.lora import add_adapters, merge_adapters


def unet():
    torch.manual_seed(0)
    network = DiffusionModelUNet(
        3,
        3,
        2,
        num_res_blocks=1,
        channels=(8, 8),
        attention_levels=(False, True),
        norm_num_groups=4,
        num_head_channels=4,
    )
    # MONAI sets the last convolutions to 0: the output would be too
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network.eval()


def trained_adapters(network):
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            generator = torch.Generator().manual_seed(len(name))
            parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def test_adapters_change_nothing_before_they_are_trained():
    network, inputs = unet(), (torch.randn(1, 3, 8, 8, 8), torch.tensor([200.0]))
    before = network(*inputs)
    add_adapters(network, ["*"], rank=2, alpha=2.0)
    torch.testing.assert_close(network(*inputs), before)


def test_merged_adapters_give_the_same_output():
    network, inputs = unet(), (torch.randn(1, 3, 8, 8, 8), torch.tensor([200.0]))
    keys, before = set(network.state_dict()), network(*inputs)
    add_adapters(network, ["up_blocks.*", "middle_block.*"], rank=4, alpha=8.0)
    trained_adapters(network)
    adapted = network(*inputs)
    merge_adapters(network)
    assert set(network.state_dict()) == keys
    assert not torch.allclose(adapted, before, atol=1e-2)
    torch.testing.assert_close(network(*inputs), adapted, atol=1e-5, rtol=0)


def test_only_adapters_of_the_chosen_layers_are_trained():
    network = unet()
    frozen = copy.deepcopy(network.state_dict())
    names = add_adapters(network, ["up_blocks.0.*"], rank=2, alpha=2.0)
    assert names
    assert all(name.startswith("up_blocks.0.") for name in names)
    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert trained
    assert all(name.split(".")[-1] in ("up", "down") for name in trained)
    trained_adapters(network)
    merge_adapters(network)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, frozen[name])}
    assert changed == {f"{name}.weight" for name in names}


def test_an_adapter_of_a_convolution_is_one_to_a_few_channels_and_back():
    convolution = nn.Conv3d(3, 5, 3, padding=1)
    block, image = nn.Sequential(convolution), torch.randn(1, 3, 4, 4, 4)
    plain = block(image)
    add_adapters(block, ["0"], rank=2, alpha=6.0)
    adapter = convolution.parametrizations["weight"][0]
    nn.init.normal_(adapter.up)
    inner = nn.functional.conv3d(image, adapter.down.view(2, 3, 3, 3, 3), padding=1)
    outer = nn.functional.conv3d(inner, adapter.up.view(5, 2, 1, 1, 1))
    torch.testing.assert_close(block(image), plain + 3.0 * outer, atol=1e-5, rtol=1e-5)


def test_a_pattern_without_a_layer_is_refused():
    with pytest.raises(
        UsageError, match=r"no layer matches decoder\.\*; expected a pattern of layers such as"
    ):
        add_adapters(unet(), ["decoder.*"], rank=2, alpha=2.0)
