import pytest
import torch

from segcube.networks import build_network

from .parameters import count_parameters

SLIM = {
    "input_channels": 1,
    "num_classes": 2,
    "n_stages": 6,
    "features_per_stage": [32, 32, 64, 96, 96, 96],
    "kernel_sizes": [[1, 3, 3], 3, 3, 3, 3, 3],
    "strides": [1, [1, 2, 2], 2, 2, [1, 2, 2], [1, 2, 2]],
    "n_blocks_per_stage": [1, 2, 3, 3, 3, 3],
    "exp_ratio_per_stage": [2, 3, 4, 4, 4, 4],
    "stem_kernel_size": [1, 3, 3],
}
FULL = {
    **SLIM,
    "features_per_stage": [32, 64, 128, 256, 320, 320],
    "n_blocks_per_stage": [1, 3, 4, 6, 6, 6],
}
TINY = {
    "input_channels": 2,
    "num_classes": 3,
    "n_stages": 3,
    "features_per_stage": [4, 6, 8],
    "kernel_sizes": [[1, 3, 3], 3, [3, 5, 5]],
    "strides": [1, [1, 2, 2], [2, 2, 3]],
    "n_blocks_per_stage": [1, 2, 1],
    "exp_ratio_per_stage": [2, 1, 1],
}


def tiny(name, **arguments):
    torch.manual_seed(0)
    return build_network(name, {**TINY, **arguments})


def kernel_of_one(arguments):
    return {**arguments, "stem_kernel_size": 1}


@pytest.mark.parametrize(
    ("name", "arguments", "parameters"),
    [
        ("MedNeXtV1MBAS", kernel_of_one(SLIM), 1_924_172),
        ("MedNeXtV2MBAS", SLIM, 1_650_730),
        ("MedNeXtV2MBAS", FULL, 24_467_946),
    ],
)
def test_parameters_are_as_many_as_published(name, arguments, parameters):
    with torch.device("meta"):
        assert count_parameters(build_network(name, arguments)) == parameters


@pytest.mark.parametrize(("name", "entries"), [("MedNeXtV1MBAS", 506), ("MedNeXtV2MBAS", 424)])
def test_the_state_dict_has_the_published_entries(name, entries):
    arguments = SLIM if name == "MedNeXtV2MBAS" else kernel_of_one(SLIM)
    with torch.device("meta"):
        assert len(build_network(name, arguments).state_dict()) == entries


def test_the_decoder_names_the_encoder_again_as_published():
    network = tiny("MedNeXtV2MBAS")
    state = network.state_dict(keep_vars=True)
    name = "encoder.stages.1.0.norm_conv2_act.1.weight"
    assert state[name] is state[f"decoder.{name}"]


@pytest.mark.parametrize(
    ("name", "present"),
    [
        ("MedNeXtV1MBAS", {"encoder.stages.0.0.conv1.weight", "decoder.seg_layers.2.bias"}),
        (
            "MedNeXtV2MBAS",
            {"encoder.stem.conv1.weight", "encoder.stem.norm.bias", "decoder.seg_layers.1.bias"},
        ),
    ],
)
def test_names_are_the_published_ones(name, present):
    common = {"decoder.up_blocks.0.res_conv.weight", "decoder.stages.1.0.conv3.weight"}
    assert present | common <= set(tiny(name).state_dict())


@pytest.mark.parametrize("name", ["MedNeXtV1MBAS", "MedNeXtV2MBAS"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"norm_type": "layer", "enable_affine_transform": True},
        {"n_blocks_per_stage_decoder": [2, 1], "exp_ratio_per_stage_decoder": [3, 2]},
    ],
)
def test_logits_keep_an_uneven_size(name, arguments):
    network = tiny(name, deep_supervision=True, **arguments).eval()
    assert network(torch.zeros(1, 2, 4, 8, 18)).shape == (1, 3, 4, 8, 18)


@pytest.mark.parametrize(
    "arguments",
    [
        {"decoder_cat_skip": True},
        {"decoder_conv_trans_up": True},
        {
            "stem_type": "StackedConvBlocks",
            "dropout_op": "torch.nn.Dropout3d",
            "dropout_op_kwargs": {"p": 0.5},
        },
        {"stem_channels": 5, "stem_dilation": 2, "dilation_per_stage": 2},
    ],
)
def test_v2_takes_the_variants_of_its_plans(arguments):
    network = tiny("MedNeXtV2MBAS", **arguments).eval()
    assert network(torch.zeros(1, 2, 4, 8, 18)).shape == (1, 3, 4, 8, 18)


def test_v2_dropout_acts_in_training_alone():
    arguments = {"dropout_op": "torch.nn.Dropout3d", "dropout_op_kwargs": {"p": 0.5}}
    network, image = tiny("MedNeXtV2MBAS", **arguments), torch.randn(1, 2, 4, 8, 18)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_v1_restores_the_resolution_of_a_stem_with_a_stride():
    network = tiny("MedNeXtV1MBAS", strides=[[1, 2, 2], [1, 2, 2], 2], stem_kernel_size=[1, 2, 2]).eval()
    assert network(torch.zeros(1, 2, 4, 16, 8)).shape == (1, 3, 4, 16, 8)


def test_v1_may_have_other_kernels_for_downsampling():
    state = tiny("MedNeXtV1MBAS", override_down_kernel_size=True, down_kernel_size=1).state_dict()
    assert state["encoder.stages.2.0.conv1.weight"].shape[2:] == (1, 1, 1)
    assert state["decoder.up_blocks.0.conv1.weight"].shape[2:] == (3, 5, 5)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("MedNeXtV1MBAS", [(4, 8, 18), (4, 4, 9), (2, 2, 3)]),
        ("MedNeXtV2MBAS", [(4, 8, 18), (4, 4, 9)]),
    ],
)
def test_deep_supervision_gives_an_output_for_each_level(name, sizes):
    outputs = tiny(name, deep_supervision=True)(torch.zeros(1, 2, 4, 8, 18))
    assert [tuple(output.shape[2:]) for output in outputs] == sizes


@pytest.mark.parametrize("name", ["MedNeXtV1MBAS", "MedNeXtV2MBAS"])
def test_training_and_eval_agree_at_full_resolution(name):
    network, image = tiny(name, deep_supervision=True), torch.randn(1, 2, 4, 8, 18)
    in_training = network(image)[0]
    assert torch.equal(in_training, network.eval()(image))
