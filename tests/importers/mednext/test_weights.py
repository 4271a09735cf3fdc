import pytest
import torch
from torch.nn import functional

from segcube.core import EnvironmentFault
from segcube.importers.mednext.weights import describe_size, mednext_arguments, transposed_heads
from segcube.networks import build_network
from segcube.networks.registry import check_arguments
from segcube.networks.store import mismatches

from ..originals import (
    BLOCKS,
    ENTRIES,
    EXPANSIONS,
    PARAMETERS,
    original_answer,
    original_shapes,
    original_state,
)

LAYOUTS = ("Conv3d", "ConvTranspose3d")


def test_the_originals_have_the_published_counts():
    for (size, kernel), parameters in PARAMETERS.items():
        shapes = original_shapes(EXPANSIONS[size], BLOCKS[size], kernel)
        assert sum(torch.Size(shape).numel() for shape in shapes.values()) == parameters
        assert len(shapes) == ENTRIES[size]


@pytest.mark.parametrize("size", BLOCKS)
def test_every_published_size_is_recognized(size):
    heads, kernel = ("Conv3d", 3) if size in "SM" else ("ConvTranspose3d", 5)
    shapes = original_shapes(EXPANSIONS[size], BLOCKS[size], kernel, heads, deep_supervision=kernel == 3)
    state, found = transposed_heads({k: torch.empty(v, device="meta") for k, v in shapes.items()})
    arguments = mednext_arguments(state)
    assert (found, arguments["size"], arguments["out_channels"]) == (heads, size, 3)
    with torch.device("meta"):
        assert mismatches(build_network("MedNeXtV1", arguments), state) == ""


@pytest.mark.parametrize("heads", LAYOUTS)
def test_the_network_answers_as_the_original(heads):
    original = original_state(0, heads=heads)
    state, _ = transposed_heads(original)
    network = build_network("MedNeXtV1", mednext_arguments(state)).eval()
    network.load_state_dict(state)
    image_ncxyz = torch.randn(1, 4, 16, 16, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(
            network(image_ncxyz), original_answer(original, image_ncxyz), rtol=1e-3, atol=1e-3
        )


def test_a_convolution_head_becomes_its_transpose():
    state = original_state(0, outputs=3)
    weight, bias = (state[f"out_0.conv_out.{part}"] for part in ("weight", "bias"))
    image_ncxyz = torch.arange(16.0).reshape(1, 2, 2, 2, 2)
    expected = functional.conv3d(image_ncxyz, weight, bias)
    turned = transposed_heads(state)[0]["out_0.conv_out.weight"]
    torch.testing.assert_close(functional.conv_transpose3d(image_ncxyz, turned, bias), expected)


def test_the_lower_heads_decide_if_outputs_equal_inputs():
    state = original_state(0, outputs=2)
    turned = transposed_heads(state)[0]
    assert turned["out_1.conv_out.weight"].shape[:2] == (4, 2)
    assert torch.equal(turned["out_0.conv_out.weight"], state["out_0.conv_out.weight"].transpose(0, 1))


def test_heads_that_fit_both_layouts_need_a_decision():
    state = original_state(0, outputs=2, deep_supervision=False)
    with pytest.raises(
        EnvironmentFault, match="2 inputs and 2 outputs: they fit both Conv3d and ConvTranspose3d"
    ):
        transposed_heads(state)
    kept, _ = transposed_heads(state, "ConvTranspose3d")
    assert torch.equal(kept["out_0.conv_out.weight"], state["out_0.conv_out.weight"])


def state_of(**arguments):
    with torch.device("meta"):
        return build_network("MedNeXtV1", {"in_channels": 4, "out_channels": 3, **arguments}).state_dict()


def test_a_network_is_described_by_its_size_and_kernels():
    for own, description in (
        ({"size": "M", "kernel_size": 5}, "MedNeXt v1 M, kernel 5"),
        ({"size": "S", "enc_kernel_size": 5, "dec_kernel_size": 3}, "MedNeXt v1 S, kernel 5 down and 3 up"),
        ({"n_channels": 4, "exp_r": 1, "block_counts": 1}, "MedNeXt v1 of another size, kernel 3"),
    ):
        assert describe_size(mednext_arguments(state_of(**own))) == description


def test_other_sizes_are_recognized_by_their_shapes():
    for own in (
        {"n_channels": 2, "exp_r": [1, 2, 3, 1, 2, 3, 1, 2, 3], "block_counts": [1, 2, 1, 2, 1, 2, 1, 2, 1]},
        {"size": "S", "enc_kernel_size": 5, "dec_kernel_size": 3},
        {"n_channels": 4, "exp_r": 1, "block_counts": 1, "grn": True, "do_res_up_down": False},
    ):
        wanted, found = state_of(**own), state_of(**mednext_arguments(state_of(**own)))
        assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in wanted.items()}
        check_arguments("MedNeXtV1", mednext_arguments(wanted))


def test_another_network_is_refused():
    with pytest.raises(EnvironmentFault, match="has no entry"):
        mednext_arguments({"stem.weight": torch.ones(2, 1, 1, 1, 1)})
