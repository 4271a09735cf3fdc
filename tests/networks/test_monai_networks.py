import inspect

import pytest
import torch
from monai.networks import nets

from segcube.core import UsageError
from segcube.networks import build_network, window_multiple
from segcube.networks.monai_arguments import DynUNetArguments, SegResNetArguments, SwinUNETRArguments

DYNUNET = {
    "in_channels": 1,
    "out_channels": 2,
    "kernel_size": [[1, 3, 3], 3, 3, 3],
    "strides": [1, [1, 2, 2], 2, 2],
    "filters": [4, 4, 6, 8],
}


def test_defaults_equal_monai():
    for grammar, published in (
        (SegResNetArguments, nets.SegResNet),
        (DynUNetArguments, nets.DynUNet),
        (SwinUNETRArguments, nets.SwinUNETR),
    ):
        theirs = inspect.signature(published).parameters
        empty = inspect.Parameter.empty
        compared = {"in_channels", "out_channels", "spatial_dims", "upsample_kernel_size", "window_size"}
        for key, field in grammar.model_fields.items():
            default = theirs[key].default
            if key not in compared and default is not empty:
                assert field.default == default, key


def test_dynunet_upsamples_by_its_strides():
    given = build_network("DynUNet", {**DYNUNET, "upsample_kernel_size": [[1, 2, 2], 2, 2]})
    implied = build_network("DynUNet", DYNUNET)
    shapes = [{key: tensor.shape for key, tensor in n.state_dict().items()} for n in (given, implied)]
    assert shapes[0] == shapes[1]


def test_dynunet_supervises_deeply_in_training_alone():
    torch.manual_seed(0)
    network = build_network("DynUNet", {**DYNUNET, "deep_supervision": True, "deep_supr_num": 2})
    image = torch.randn(1, 1, 8, 16, 16)
    in_training = network(image)
    assert [tuple(output.shape) for output in in_training] == [(1, 2, 8, 16, 16)] * 3
    calls = []
    network.deep_supervision_heads[0].register_forward_hook(lambda *_: calls.append(1))
    in_eval = network.eval()(image)
    assert not calls
    torch.testing.assert_close(in_eval, in_training[0])
    assert len(network.train()(image)) == 3
    assert calls


def test_segresnet_takes_a_norm_as_json_has_it():
    arguments = {"in_channels": 1, "out_channels": 2, "init_filters": 4, "norm": ["GROUP", {"num_groups": 2}]}
    network = build_network("SegResNet", arguments).eval()
    assert network(torch.zeros(1, 1, 8, 16, 24)).shape == (1, 2, 8, 16, 24)


def test_segresnet_needs_one_entry_less_for_the_decoder():
    arguments = {"in_channels": 1, "out_channels": 2, "blocks_down": [1, 1, 1]}
    with pytest.raises(UsageError, match=r"'blocks_up'.*3 entries for 3 of blocks_down"):
        window_multiple("SegResNet", arguments)
    assert window_multiple("SegResNet", {**arguments, "blocks_up": [1, 1]}) == (4, 4, 4)


def test_swin_unetr_can_be_outlined_on_the_meta_device():
    with torch.device("meta"):
        network = build_network("SwinUNETR", {"in_channels": 1, "out_channels": 2, "feature_size": 12})
    published = nets.SwinUNETR(in_channels=1, out_channels=2, feature_size=12)
    assert network.state_dict().keys() == published.state_dict().keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"strides": [2, 2, 2, 2]}, "'strides'.*the first stage must have stride 1"),
        ({"strides": [1, 2, 2]}, "'strides'.*3 entries for 4 of kernel_size"),
        (
            {"upsample_kernel_size": [2, 2, 2]},
            "'upsample_kernel_size'.*must equal the strides after the first",
        ),
        ({"filters": [4, 4]}, "DynUNet cannot be built.*length of filters"),
    ],
)
def test_dynunet_refuses_arguments_that_do_not_fit(arguments, words):
    with pytest.raises(UsageError, match=words):
        build_network("DynUNet", {**DYNUNET, **arguments})


def test_unet_equals_monai():
    arguments = {"in_channels": 1, "out_channels": 2, "strides": [2, 2], "num_res_units": 1, "norm": "batch"}
    network = build_network("UNet", {**arguments, "features": [2, 4, 8]})
    theirs = nets.UNet(spatial_dims=3, channels=(2, 4, 8), **arguments)
    wanted = {key: tensor.shape for key, tensor in theirs.state_dict().items()}
    assert {key: tensor.shape for key, tensor in network.state_dict().items()} == wanted


def test_unet_needs_one_stride_less_than_levels():
    arguments = {"in_channels": 1, "out_channels": 2, "features": [2, 4, 8], "strides": [2]}
    with pytest.raises(UsageError, match="1 entries for 3 of features, which require one less"):
        build_network("UNet", arguments)
