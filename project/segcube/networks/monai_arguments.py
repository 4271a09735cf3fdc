"""Keyword arguments of MONAI's networks, with MONAI's defaults; channels are required."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, ValidationInfo

from segcube.core import Shape
from segcube.networks.arguments import (
    Arguments,
    Count,
    Extent,
    Fraction,
    KeepsResolution,
    OddExtent,
    Options,
    product,
)

Layer: TypeAlias = str | tuple[str, Options]
"""A layer's name in MONAI's factories, with or without its keyword arguments."""
Four: TypeAlias = tuple[Count, Count, Count, Count]


class MonaiArguments(Arguments):
    """Common arguments of MONAI's networks."""

    spatial_dims: Literal[3] = 3
    in_channels: Count
    out_channels: Count

    @property
    def channels(self) -> tuple[int, int]:
        return self.in_channels, self.out_channels


def _as_many_as(field: str, fewer: Literal[0, 1] = 0) -> AfterValidator:
    def check(entries: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        others = info.data.get(field, ())
        if others and len(entries) != len(others) - fewer:
            less = ", which require one less" if fewer else ""
            raise ValueError(f"{len(entries)} entries for {len(others)} of {field}{less}")
        return entries

    return AfterValidator(check)


class SegResNetArguments(MonaiArguments):
    """SegResNet (Myronenko 2018, arXiv 1810.11654) without its variational part."""

    init_filters: Count = 8
    dropout_prob: Fraction | None = None
    act: Layer = ("RELU", {"inplace": True})
    norm: Layer = ("GROUP", {"num_groups": 8})
    blocks_down: Annotated[tuple[Count, ...], Field(min_length=2)] = (1, 2, 2, 4)
    blocks_up: Annotated[tuple[Count, ...], _as_many_as("blocks_down", 1), Field(validate_default=True)] = (
        1,
        1,
        1,
    )
    upsample_mode: Literal["deconv", "nontrainable", "pixelshuffle"] = "nontrainable"

    @property
    def multiple(self) -> Shape:
        """A factor of 2 for each level but the first."""
        step = 2 ** (len(self.blocks_down) - 1)
        return step, step, step


def _check_upsampling(kernels: tuple[Shape, ...] | None, info: ValidationInfo) -> tuple[Shape, ...] | None:
    strides = info.data.get("strides", ())
    if kernels is not None and strides and kernels != strides[1:]:
        raise ValueError(f"must equal the strides after the first, {strides[1:]}")
    return kernels


class DynUNetArguments(MonaiArguments):
    """MONAI's DynUNet; `upsample_kernel_size` defaults to the strides after the first."""

    kernel_size: Annotated[tuple[Extent, ...], Field(min_length=3)]
    strides: Annotated[tuple[Extent, ...], _as_many_as("kernel_size"), KeepsResolution]
    upsample_kernel_size: Annotated[tuple[Extent, ...] | None, AfterValidator(_check_upsampling)] = None
    filters: tuple[Count, ...] | None = None
    dropout: Layer | Fraction | None = None
    norm_name: Layer = ("INSTANCE", {"affine": True})
    act_name: Layer = ("leakyrelu", {"inplace": True, "negative_slope": 0.01})
    deep_supervision: bool = False
    deep_supr_num: Count = 1
    res_block: bool = False
    trans_bias: bool = False

    @property
    def multiple(self) -> Shape:
        """The product of all strides; one axis must hold at least twice that."""
        return product(self.strides)


class SwinUNETRArguments(MonaiArguments):
    """Swin UNETR (Hatamizadeh et al. 2022, arXiv 2201.01266); its decoder fits only a patch of 2."""

    patch_size: Literal[2] = 2
    depths: Four = (2, 2, 2, 2)
    num_heads: Four = (3, 6, 12, 24)
    window_size: Extent = (7, 7, 7)
    qkv_bias: bool = True
    mlp_ratio: Annotated[float, Field(gt=0.0)] = 4.0
    feature_size: Annotated[Count, Field(multiple_of=12)] = 24
    norm_name: Layer = "instance"
    drop_rate: Fraction = 0.0
    attn_drop_rate: Fraction = 0.0
    dropout_path_rate: Fraction = 0.0
    normalize: bool = True
    patch_norm: bool = False
    use_checkpoint: bool = False
    downsample: Literal["merging", "mergingv2"] = "merging"
    use_v2: bool = False

    @property
    def multiple(self) -> Shape:
        """The patch, then four mergings: patch_size ** 5, as MONAI documents."""
        return 32, 32, 32


class UNetArguments(MonaiArguments):
    """MONAI's UNet; `features` are MONAI's `channels`, an entry for each level."""

    features: Annotated[tuple[Count, ...], Field(min_length=2)]
    strides: Annotated[tuple[Extent, ...], _as_many_as("features", 1)]
    kernel_size: OddExtent = (3, 3, 3)
    up_kernel_size: OddExtent = (3, 3, 3)
    num_res_units: Annotated[int, Field(ge=0)] = 0
    act: Layer = "PRELU"
    norm: Layer = "INSTANCE"
    dropout: Fraction = 0.0
    bias: bool = True
    adn_ordering: str = "NDA"

    @property
    def multiple(self) -> Shape:
        """The product of all strides."""
        return product(self.strides)
