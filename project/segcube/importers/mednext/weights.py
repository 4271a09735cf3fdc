"""Recognize a MedNeXt v1 by its weights: the arguments of `MedNeXtV1`, and the layout of the heads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch

from segcube.core import EnvironmentFault
from segcube.importers.checkpoint.reader import open_checkpoint
from segcube.networks import BLOCKS, EXPANSIONS

ANCHOR = "stem.weight"
"""The first entry of every MedNeXt v1."""
STAGES = (
    *(f"enc_block_{level}" for level in range(4)),
    "bottleneck",
    *(f"dec_block_{level}" for level in reversed(range(4))),
)
PUBLISHED_WIDTH = 32
Layout: TypeAlias = Literal["Conv3d", "ConvTranspose3d"]


def open_state_dict(file: Path, trainer: str) -> Mapping[str, Any]:
    """Open a checkpoint that has a state_dict; return all of it. Raises EnvironmentFault for another one."""
    tree = open_checkpoint(file)
    if not isinstance(tree, dict) or "state_dict" not in tree:
        expected, hint = f"a checkpoint of {trainer}", "name the file that the trainer saved"
        raise EnvironmentFault("holds no state_dict", file=file, expected=expected, hint=hint)
    return tree


def mednext_arguments(state: Mapping[str, torch.Tensor]) -> dict[str, object]:
    """Derive the keyword arguments of `MedNeXtV1` from names and shapes.

    Group and layer normalization have equal shapes; the published networks use groups. Raises
    EnvironmentFault for weights that are no MedNeXt v1.
    """
    try:
        return _arguments(state)
    except (KeyError, IndexError, ValueError) as error:
        expected = "the weights of a MedNeXt v1, as MIC-DKFZ names them"
        raise EnvironmentFault(f"has no entry {error}", expected=expected) from error


def describe_size(arguments: Mapping[str, object]) -> str:
    """Describe the network, such as `MedNeXt v1 B, kernel 3`."""
    encoder, decoder = arguments["enc_kernel_size"], arguments["dec_kernel_size"]
    kernel = str(encoder) if encoder == decoder else f"{encoder} down and {decoder} up"
    return f"MedNeXt v1 {arguments.get('size', 'of another size')}, kernel {kernel}"


def _arguments(state: Mapping[str, torch.Tensor]) -> dict[str, object]:
    width, channels = state[ANCHOR].shape[:2]
    blocks = tuple(
        1 + max(int(key.split(".")[1]) for key in state if key.startswith(f"{stage}.")) for stage in STAGES
    )
    expansions = tuple(_expansion(state, f"{stage}.0") for stage in STAGES)
    sizes = [size for size in BLOCKS if BLOCKS[size] == blocks and EXPANSIONS[size] == expansions]
    shape: dict[str, object] = {"n_channels": width, "block_counts": blocks, "exp_r": expansions}
    if sizes and width == PUBLISHED_WIDTH:
        shape = {"size": sizes[0]}
    return shape | {
        "in_channels": channels,
        # The axes of the weight depend on the layout of the heads, the bias does not
        "out_channels": state["out_0.conv_out.bias"].shape[0],
        "enc_kernel_size": state["enc_block_0.0.conv1.weight"].shape[2],
        "dec_kernel_size": state["bottleneck.0.conv1.weight"].shape[2],
        "do_res_up_down": "down_0.res_conv.weight" in state,
        "deep_supervision": "out_1.conv_out.weight" in state,
        "grn": "enc_block_0.0.grn_beta" in state,
    }


def _expansion(state: Mapping[str, torch.Tensor], block: str) -> int:
    expanded, width = state[f"{block}.conv2.weight"].shape[:2]
    if expanded % width:
        raise ValueError(f"{block}.conv2.weight that expands {width} channels to a multiple")
    return expanded // width


def transposed_heads(
    state: Mapping[str, torch.Tensor], undecided: Layout | None = None
) -> tuple[dict[str, torch.Tensor], Layout]:
    """Convert the heads to ConvTranspose3d, as MIC-DKFZ has them; return the weights and the layout found.

    BraTS-UGRIP's copy has Conv3d heads: one of (K, C, 1, 1, 1) equals a ConvTranspose3d of (C, K, 1, 1, 1),
    and the bias has K entries in both. undecided: the layout if K equals C in every head, so that both fit;
    None raises EnvironmentFault then.
    """
    heads = {
        name: weight
        for name, weight in state.items()
        if name.startswith("out_") and name.endswith(".conv_out.weight") and weight.ndim == 5
    }
    # `mednext_arguments` reports weights without this bias
    outputs = next(iter(state.get("out_0.conv_out.bias", torch.empty(0)).shape), 0)
    found = {_layout(weight, outputs) for weight in heads.values()} - {None}
    layout = undecided if heads and not found else "Conv3d" if "Conv3d" in found else "ConvTranspose3d"
    if layout is None:
        raise EnvironmentFault(
            f"has heads of {outputs} inputs and {outputs} outputs: they fit both Conv3d and ConvTranspose3d",
            expected="heads whose shapes show their layout, such as those of deep supervision",
        )
    if layout == "Conv3d":
        heads = {name: weight.transpose(0, 1).contiguous() for name, weight in heads.items()}
    return {**state, **heads}, layout


def _layout(weight: torch.Tensor, outputs: int) -> Layout | None:
    first, second = weight.shape[0] == outputs, weight.shape[1] == outputs
    if first == second:
        return None
    return "Conv3d" if first else "ConvTranspose3d"
