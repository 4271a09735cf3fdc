from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from segcube.backends.cuda.norm import NO_SLOPE, FusedNorm, drop_idle_biases, fuse_norms, slope_of
from segcube.networks import build_network


def norm(affine: bool = True) -> nn.InstanceNorm3d:
    torch.manual_seed(0)
    made = nn.InstanceNorm3d(4, affine=affine)
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made


@pytest.mark.parametrize("affine", [True, False])
def test_the_values_are_torchs_own(affine):
    x, added = (torch.randn(3, 4, 6, 5, 3) + 2 for _ in range(2))
    with torch.inference_mode():
        normed = norm(affine)(x)
        for slope, more in ((NO_SLOPE, None), (0.0, None), (0.1, added)):
            found = FusedNorm(norm(affine), slope, None)(x, more)
            expected = functional.leaky_relu(normed if more is None else normed + more, slope)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_half_precision_sums_in_full():
    x = (torch.randn(2, 4, 8, 8, 8) + 5).to(torch.bfloat16, memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        found = FusedNorm(norm(), NO_SLOPE, None)(x)
        expected = norm()(x.float())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.02, rtol=0.01, check_stride=False)


def test_slopes_below_zero_are_those_of_leaky_units_alone():
    assert slope_of(nn.LeakyReLU(0.2)) == 0.2
    assert slope_of(nn.ReLU()) == 0
    assert slope_of(nn.GELU()) is None


def test_norms_of_a_whole_network_are_replaced_under_all_their_names():
    network = unet()
    fuse_norms(network, None)
    kinds = [type(module) for module in network.modules()]
    assert nn.InstanceNorm3d not in kinds
    assert FusedNorm in kinds


def test_the_activation_after_a_norm_joins_it():
    row = nn.Sequential(nn.Conv3d(2, 2, 1), norm_of(2), nn.LeakyReLU(0.2), norm_of(2), nn.GELU())
    fuse_norms(row, None)
    assert [type(part) for part in row] == [nn.Conv3d, FusedNorm, nn.Identity, FusedNorm, nn.GELU]
    assert [row[1].slope, row[3].slope] == [0.2, NO_SLOPE]


def test_a_norm_with_running_statistics_stays():
    row = nn.Sequential(nn.Conv3d(2, 2, 1), nn.InstanceNorm3d(2, track_running_stats=True))
    drop_idle_biases(row)
    fuse_norms(row, None)
    assert isinstance(row[1], nn.InstanceNorm3d)
    assert row[0].bias is not None


def test_only_biases_right_before_an_instance_norm_go():
    row = nn.Sequential(
        nn.Conv3d(2, 2, 1),
        nn.Dropout3d(),
        norm_of(2),
        nn.LeakyReLU(),
        nn.Conv3d(2, 2, 1),
        nn.LeakyReLU(),
        norm_of(2),
    )
    drop_idle_biases(row)
    assert row[0].bias is None
    assert row[4].bias is not None


def test_a_unet_gives_what_it_gave():
    x = torch.randn(2, 2, 8, 8, 8)
    plain, made = unet(), unet()
    drop_idle_biases(made)
    fuse_norms(made, None)
    with torch.inference_mode():
        found = made.to(memory_format=torch.channels_last_3d)(
            x.contiguous(memory_format=torch.channels_last_3d)
        )
        torch.testing.assert_close(found, plain(x), atol=1e-4, rtol=1e-4, check_stride=False)


def norm_of(channels: int) -> nn.Module:
    return nn.InstanceNorm3d(channels, affine=True)


def unet() -> nn.Module:
    torch.manual_seed(1)
    arguments = {
        "input_channels": 2,
        "num_classes": 3,
        "n_stages": 2,
        "features_per_stage": [4, 6],
        "kernel_sizes": [[3, 3, 3]] * 2,
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_blocks_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": "torch.nn.InstanceNorm3d",
        "norm_op_kwargs": {"affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    return build_network("ResidualEncoderUNet", arguments).eval()
