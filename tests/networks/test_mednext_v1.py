import pytest
import torch

from segcube.networks import build_network

from .parameters import count_parameters

PUBLISHED = {
    ("S", 3): (5_553_936, 237),
    ("S", 5): (5_983_568, 237),
    ("B", 3): (10_529_328, 237),
    ("B", 5): (10_958_960, 237),
    ("M", 3): (17_551_984, 365),
    ("M", 5): (18_263_856, 365),
    ("L", 3): (61_782_288, 525),
    ("L", 5): (62_995_920, 525),
}
TINY = {"in_channels": 2, "out_channels": 3, "n_channels": 4, "block_counts": 1, "exp_r": 1}


def tiny(**arguments):
    torch.manual_seed(0)
    return build_network("MedNeXtV1", {**TINY, **arguments})


@pytest.mark.parametrize("size", ["S", "B", "M", "L"])
def test_the_sizes_have_the_published_parameters_and_entries(size):
    for kernel in (3, 5):
        arguments = {"in_channels": 4, "out_channels": 3, "size": size, "kernel_size": kernel}
        with torch.device("meta"):
            network = build_network("MedNeXtV1", {**arguments, "deep_supervision": True})
        assert (count_parameters(network), len(network.state_dict())) == PUBLISHED[size, kernel]


def test_names_are_the_published_ones():
    names = set(tiny(deep_supervision=True, grn=True).state_dict())
    assert {
        "dummy_tensor",
        "stem.weight",
        "enc_block_0.0.conv1.weight",
        "enc_block_3.0.norm.bias",
        "enc_block_0.0.grn_gamma",
        "down_3.res_conv.weight",
        "bottleneck.0.conv2.weight",
        "up_0.conv3.bias",
        "dec_block_2.0.conv1.bias",
        "out_0.conv_out.weight",
        "out_4.conv_out.bias",
    } <= names


def test_the_first_downsampling_has_no_response_normalization():
    names = tiny(grn=True).state_dict()
    assert "down_0.grn_beta" not in names
    assert "down_1.grn_beta" in names


def test_without_deep_supervision_there_is_one_head():
    names = tiny().state_dict()
    assert "out_0.conv_out.weight" in names
    assert "out_1.conv_out.weight" not in names


def test_eval_mode_gives_full_resolution_alone():
    network = tiny(deep_supervision=True).eval()
    assert network(torch.zeros(1, 2, 16, 32, 48)).shape == (1, 3, 16, 32, 48)


def test_training_with_deep_supervision_gives_five_levels_full_resolution_first():
    outputs = tiny(deep_supervision=True)(torch.zeros(1, 2, 16, 32, 48))
    assert [tuple(output.shape[2:]) for output in outputs] == [
        (16, 32, 48),
        (8, 16, 24),
        (4, 8, 12),
        (2, 4, 6),
        (1, 2, 3),
    ]


def test_training_and_eval_agree_at_full_resolution():
    network = tiny(deep_supervision=True)
    image = torch.randn(1, 2, 16, 16, 32)
    in_training = network(image)[0]
    assert torch.equal(in_training, network.eval()(image))


def test_encoder_and_decoder_kernels_may_differ():
    state = tiny(enc_kernel_size=5, dec_kernel_size=3).state_dict()
    assert state["down_3.conv1.weight"].shape[2:] == (5, 5, 5)
    assert state["bottleneck.0.conv1.weight"].shape[2:] == (3, 3, 3)
    assert state["up_3.conv1.weight"].shape[2:] == (3, 3, 3)


def test_residuals_can_be_left_out():
    names = tiny(do_res_up_down=False).state_dict()
    assert not any("res_conv" in name for name in names)


def test_each_stage_takes_its_own_expansion_and_count():
    state = tiny(exp_r=[1, 2, 3, 4, 5, 6, 7, 8, 9], block_counts=[1, 1, 1, 1, 2, 1, 1, 1, 3]).state_dict()
    widths = {
        "enc_block_0.0": 1 * 4,
        "down_0": 2 * 4,
        "bottleneck.1": 5 * 64,
        "up_3": 6 * 64,
        "dec_block_0.2": 9 * 4,
    }
    assert {place: state[f"{place}.conv2.weight"].shape[0] for place in widths} == widths


def test_every_parameter_but_the_dummy_learns():
    network = tiny(deep_supervision=True, grn=True, norm="layer")
    sum(output.square().sum() for output in network(torch.randn(1, 2, 16, 16, 16))).backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert idle == ["dummy_tensor"]
