"""The heads of a MedNeXt v1: Conv3d in BraTS-UGRIP's copy, ConvTranspose3d in MIC-DKFZ's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import torch

from segcube.errors import EnvironmentFault

Layout: TypeAlias = Literal["Conv3d", "ConvTranspose3d"]


def transposed_heads(
    state: Mapping[str, torch.Tensor], undecided: Layout | None = None
) -> tuple[dict[str, torch.Tensor], Layout]:
    """The weights with ConvTranspose3d heads, and the layout in which the heads came.

    A 1x1x1 Conv3d of (K, C, 1, 1, 1) equals a ConvTranspose3d of (C, K, 1, 1, 1); the bias has K entries in
    both. undecided: the layout where K equals C in every head, so that the shapes fit both. Raises
    EnvironmentFault where that is None.
    """
    heads = {
        name: weight
        for name, weight in state.items()
        if name.startswith("out_") and name.endswith(".conv_out.weight") and weight.ndim == 5
    }
    # Weights without this bias are no MedNeXt, which `mednext_arguments` reports
    outputs = next(iter(state.get("out_0.conv_out.bias", torch.empty(0)).shape), 0)
    found = {_layout(weight, outputs) for weight in heads.values()} - {None}
    layout = undecided if heads and not found else "Conv3d" if "Conv3d" in found else "ConvTranspose3d"
    if layout is None:
        raise EnvironmentFault(
            f"has heads of {outputs} inputs and {outputs} outputs: they fit Conv3d and ConvTranspose3d alike",
            expected="heads whose layout shows in their shapes, such as those of deep supervision",
        )
    if layout == "Conv3d":
        heads = {name: weight.transpose(0, 1).contiguous() for name, weight in heads.items()}
    return {**state, **heads}, layout


def _layout(weight: torch.Tensor, outputs: int) -> Layout | None:
    first, second = weight.shape[0] == outputs, weight.shape[1] == outputs
    if first == second:
        return None
    return "Conv3d" if first else "ConvTranspose3d"
