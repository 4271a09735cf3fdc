import pytest

from segcube.networks import build_network
from segcube.training.plan.topology import Depth, Topology, count_feature_voxels, plan_topology, reduce_patch

ISOTROPIC = (1.0, 1.0, 1.0)
PLAIN = Depth((2, 2), (2,), is_residual=False)


def test_anisotropic_axes_are_pooled_once_the_others_are_as_coarse():
    # The published plan of the MBAS winner's second stage
    topology = plan_topology((2.5, 0.625, 0.625), (20, 256, 256))
    flat, full = (1, 2, 2), (2, 2, 2)
    assert topology.strides == ((1, 1, 1), flat, flat, full, full, flat, flat)
    assert topology.kernels == ((1, 3, 3), (1, 3, 3), *((3, 3, 3),) * 5)
    assert topology.multiple == (4, 64, 64)


@pytest.mark.parametrize(
    ("length", "stages"),
    [
        # Every axis needs 8 voxels to be halved
        (7, 1),
        (8, 2),
        (16, 3),
    ],
)
def test_axes_are_pooled_down_to_four_voxels(length, stages):
    assert len(plan_topology(ISOTROPIC, (length,) * 3).strides) == stages


def test_an_axis_that_is_pooled_alone_needs_twelve_voxels():
    assert len(plan_topology(ISOTROPIC, (11, 4, 4)).strides) == 1
    assert plan_topology(ISOTROPIC, (12, 4, 4)).strides == ((1, 1, 1), (2, 1, 1))


def test_the_patch_is_rounded_up_to_what_the_stages_divide():
    # 140.5 -> 71 -> 36 -> 18 -> 9 -> 5: five times
    assert plan_topology(ISOTROPIC, (140.5, 128, 128)).patch == (160, 128, 128)


def test_a_patch_is_reduced_by_the_smallest_step_that_is_valid():
    # 256 is pooled six times; 192 would be five times, whose step of 32 leaves 224
    reduced = reduce_patch(plan_topology(ISOTROPIC, (256, 256, 256)), ISOTROPIC, 0)
    assert reduced.patch == (224, 256, 256)


def test_feature_voxels_of_a_plain_network_by_hand():
    topology = Topology((8, 8, 8), ((1, 1, 1), (2, 2, 2)), ((3, 3, 3), (3, 3, 3)))
    # 512 voxels at full resolution, 64 below: encoder, decoder with its transposed convolution, logits
    expected = 2 * 2 * 512 + 2 * 4 * 64 + 3 * 2 * 512 + 3 * 512
    assert count_feature_voxels(topology, (2, 4), PLAIN, classes=3) == expected


def test_feature_voxels_of_a_residual_network_are_those_that_nnunet_publishes():
    topology = plan_topology(ISOTROPIC, (128, 128, 128))
    depth = Depth((1, 3, 4, 6, 6, 6), (1,) * 5, is_residual=True)
    features = (32, 64, 128, 256, 320, 320)
    # nnU-Net's comment counts the logits of deep supervision too, at 64, 32, 16 and 8 voxels
    lower = 3 * (64**3 + 32**3 + 16**3 + 8**3)
    assert count_feature_voxels(topology, features, depth, classes=3) == 558_319_104 - lower


def test_feature_voxels_equal_those_that_the_network_counts():
    topology = plan_topology((2.5, 1.0, 1.0), (8, 32, 32))
    network = build_network(
        "PlainConvUNet",
        {
            "input_channels": 1,
            "num_classes": 2,
            "n_stages": 4,
            "features_per_stage": (2, 4, 8, 8),
            "kernel_sizes": topology.kernels,
            "strides": topology.strides,
            "n_conv_per_stage": 2,
            "n_conv_per_stage_decoder": 2,
        },
    )
    depth = Depth((2,) * 4, (2,) * 3, is_residual=False)
    counted = count_feature_voxels(topology, (2, 4, 8, 8), depth, classes=2)
    assert counted == network.compute_conv_feature_map_size((8, 32, 32))
