import pytest
import torch
from torch import nn
from torch.nn import functional

from segcube.networks import MBASBlock, MedNeXtBlock
from segcube.networks.blocks import BlockPlan, ChannelNorm, same_padding, upsample_padding


def test_channel_norm_is_layer_norm_over_channels():
    torch.manual_seed(0)
    norm, x = ChannelNorm(5), torch.randn(2, 5, 3, 4, 2)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    plain = functional.layer_norm(x.movedim(1, -1), (5,), norm.weight, norm.bias, 1e-5).movedim(-1, 1)
    torch.testing.assert_close(norm(x), plain)


def test_same_padding_counts_dilation():
    assert same_padding((1, 3, 5)) == (0, 1, 2)
    assert same_padding((1, 3, 5), (2, 2, 3)) == (0, 2, 6)


def test_upsample_padding_begins_with_the_last_axis():
    assert upsample_padding((1, 2, 3)) == (1, 1, 1, 0, 0, 0)


@pytest.mark.parametrize(("stride", "kernel"), [((1, 2, 3), (3, 3, 3)), ((4, 1, 2), (1, 3, 5))])
def test_a_block_divides_or_multiplies_by_its_stride(stride, kernel):
    down = BlockPlan(3, 5, expansion=2, kernel=kernel, stride=stride)
    up = BlockPlan(5, 3, expansion=2, kernel=kernel, stride=stride, upsample=True)
    small = tuple(2 * (1 if step == 4 else 2) for step in stride)
    large = tuple(size * step for size, step in zip(small, stride, strict=True))
    x = MedNeXtBlock(down)(torch.zeros(1, 3, *large))
    assert x.shape == (1, 5, *small)
    assert MedNeXtBlock(up)(x).shape == (1, 3, *large)


def test_an_identity_residual_adds_the_input():
    torch.manual_seed(0)
    block = MedNeXtBlock(BlockPlan(3, 3, expansion=2, kernel=(3, 3, 3)))
    nn.init.zeros_(block.conv3.weight)
    nn.init.zeros_(block.conv3.bias)
    x = torch.randn(1, 3, 4, 4, 4)
    assert torch.equal(block(x), x)


def test_response_normalization_weighs_channels_by_their_strength():
    block = MedNeXtBlock(BlockPlan(2, 2, expansion=1, kernel=(1, 1, 1), response=True))
    nn.init.ones_(block.grn_gamma)
    x = torch.stack([torch.full((2, 2, 2), 1.0), torch.full((2, 2, 2), 3.0)])[None]
    torch.testing.assert_close(
        block._global_response_norm(x)[0, :, 0, 0, 0], torch.tensor([1 + 1 * 0.5, 3 + 3 * 1.5])
    )


def test_both_namings_compute_the_same():
    torch.manual_seed(0)
    plan = BlockPlan(3, 3, expansion=2, kernel=(3, 3, 3), response=True)
    block, renamed = MedNeXtBlock(plan), MBASBlock(plan)
    names = {"norm.": "norm_conv2_act.0.", "conv2.": "norm_conv2_act.1."}
    state = block.state_dict()
    for old, new in names.items():
        state = {key.replace(old, new): tensor for key, tensor in state.items()}
    renamed.load_state_dict(state, strict=True)
    x = torch.randn(1, 3, 4, 4, 4)
    assert torch.equal(block(x), renamed(x))
