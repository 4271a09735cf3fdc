"""Keyword arguments of the MedNeXts."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, ValidationInfo

from segcube.core import Shape
from segcube.networks.arguments import (
    Arguments,
    Count,
    DecoderStages,
    Dropout,
    Extent,
    Norm,
    Odd,
    OddExtent,
    Options,
    StagedArguments,
    Stages,
    repeated,
)

Nine: TypeAlias = Annotated[tuple[Count, ...], Field(min_length=9, max_length=9), repeated(9)]
"""An entry for each of the nine stages: four down, the bottleneck, four up; one number applies to all."""

EXPANSIONS = {
    "S": (2,) * 9,
    "B": (2, 3, 4, 4, 4, 4, 4, 3, 2),
    "M": (2, 3, 4, 4, 4, 4, 4, 3, 2),
    "L": (3, 4, 8, 8, 8, 8, 8, 4, 3),
}
BLOCKS = {
    "S": (2,) * 9,
    "B": (2,) * 9,
    "M": (3, 4, 4, 4, 4, 4, 4, 4, 3),
    "L": (3, 4, 8, 8, 8, 8, 8, 4, 3),
}


class MedNeXtV1Arguments(Arguments):
    """MedNeXt v1 (Roy et al. 2023, arXiv 2303.09975); `exp_r` and `block_counts` replace the size's."""

    in_channels: Count
    out_channels: Count
    size: Literal["S", "B", "M", "L"] = "S"
    n_channels: Count = 32
    exp_r: Nine | None = None
    block_counts: Nine | None = None
    kernel_size: Odd = 3
    enc_kernel_size: Odd | None = None
    dec_kernel_size: Odd | None = None
    do_res: bool = True
    do_res_up_down: bool = True
    deep_supervision: bool = False
    norm: Norm = "group"
    grn: bool = False

    @property
    def channels(self) -> tuple[int, int]:
        return self.in_channels, self.out_channels

    @property
    def multiple(self) -> Shape:
        """Four downsamplings by 2."""
        return 16, 16, 16

    @property
    def expansions(self) -> tuple[int, ...]:
        """Expansion ratio in the blocks of each stage."""
        return self.exp_r or EXPANSIONS[self.size]

    @property
    def blocks(self) -> tuple[int, ...]:
        """Blocks of each stage."""
        return self.block_counts or BLOCKS[self.size]

    @property
    def encoder_kernel(self) -> int:
        """Depthwise kernel of the encoder stages."""
        return self.enc_kernel_size or self.kernel_size

    @property
    def decoder_kernel(self) -> int:
        """Depthwise kernel of the bottleneck and the decoder."""
        return self.dec_kernel_size or self.kernel_size


class MBASArguments(StagedArguments):
    """Common arguments of the two MedNeXts of anenbergb/MBAS, with the names of its plans."""

    kernel_sizes: Stages[OddExtent]
    n_blocks_per_stage: Stages[Count]
    exp_ratio_per_stage: Stages[Count]
    norm_type: Norm = "group"
    enable_affine_transform: bool = False
    n_blocks_per_stage_decoder: tuple[Count, ...] | None = None
    exp_ratio_per_stage_decoder: tuple[Count, ...] | None = None

    @property
    def decoder_blocks(self) -> tuple[int, ...]:
        """Blocks of each decoder stage, from lowest to full resolution, then of the stem's upsampling."""
        blocks = self.n_blocks_per_stage
        return self.n_blocks_per_stage_decoder or (*blocks[-2::-1], blocks[0])

    @property
    def decoder_expansions(self) -> tuple[int, ...]:
        """Expansion ratio in each decoder stage, and in the stem's upsampling."""
        expansions = self.exp_ratio_per_stage
        return self.exp_ratio_per_stage_decoder or (*expansions[-2::-1], expansions[0])

    @property
    def stem_width(self) -> int:
        """Output channels of the stem."""
        return self.features_per_stage[0]

    @property
    def concatenates(self) -> bool:
        """Whether skips are concatenated rather than added."""
        return False

    @property
    def dilations(self) -> tuple[Shape, ...]:
        """Dilation of each encoder stage."""
        return ((1, 1, 1),) * self.n_stages

    @property
    def down_kernels(self) -> tuple[Shape, ...]:
        """Kernel of the downsampling block of each encoder stage."""
        return self.kernel_sizes


def _check_stem_kernel(kernel: Shape, info: ValidationInfo) -> Shape:
    strides = info.data.get("strides")
    if strides and kernel != strides[0]:
        raise ValueError(f"the stem's kernel must equal the first stage's stride, {strides[0]}")
    return kernel


def _check_decoder(entries: tuple[int, ...] | None, info: ValidationInfo) -> tuple[int, ...] | None:
    stages, strides = info.data.get("n_stages"), info.data.get("strides")
    if entries is None or stages is None or strides is None:
        return entries
    valid = (stages - 1, stages) if strides[0] == (1, 1, 1) else (stages,)
    if len(entries) not in valid:
        raise ValueError(f"{len(entries)} entries where n_stages requires {' or '.join(map(str, valid))}")
    return entries


DecoderAndStem: TypeAlias = Annotated[tuple[Count, ...], AfterValidator(_check_decoder)]
"""From lowest to full resolution, then the stem's upsampling if the stem has a stride."""


class MedNeXtV1MBASArguments(MBASArguments):
    """MBAS's `MedNeXt`, whose stem may have a stride; decoder entries default to the encoder's, reversed.

    Its `MedNeXt_July` is the same with `override_down_kernel_size` and `down_kernel_size` set to
    `stem_kernel_size`.
    """

    strides: Stages[Extent]
    n_blocks_per_stage_decoder: DecoderAndStem | None = None
    exp_ratio_per_stage_decoder: DecoderAndStem | None = None
    stem_kernel_size: Annotated[Extent, AfterValidator(_check_stem_kernel)] = Field(1, validate_default=True)
    decode_stem_kernel_size: OddExtent = (1, 1, 1)
    override_down_kernel_size: bool = False
    down_kernel_size: OddExtent = (1, 1, 1)

    @property
    def down_kernels(self) -> tuple[Shape, ...]:
        if not self.override_down_kernel_size:
            return self.kernel_sizes
        return (self.down_kernel_size,) * self.n_stages


class MedNeXtV2MBASArguments(MBASArguments):
    """MBAS's `MedNeXtV2`, not MIC-DKFZ's later MedNeXt-v2; decoder entries default as in V1."""

    n_blocks_per_stage_decoder: DecoderStages[Count] | None = None
    exp_ratio_per_stage_decoder: DecoderStages[Count] | None = None
    stem_type: Literal["conv", "StackedConvBlocks"] = "conv"
    stem_kernel_size: OddExtent = (1, 3, 3)
    stem_channels: Count | None = None
    stem_dilation: Extent = (1, 1, 1)
    dilation_per_stage: Stages[Extent] = Field(1, validate_default=True)
    decoder_cat_skip: bool = False
    decoder_conv_trans_up: bool = False
    dropout_op: Dropout | None = None
    dropout_op_kwargs: Options | None = None

    @property
    def stem_width(self) -> int:
        return self.stem_channels or self.features_per_stage[0]

    @property
    def concatenates(self) -> bool:
        return self.decoder_cat_skip

    @property
    def dilations(self) -> tuple[Shape, ...]:
        return self.dilation_per_stage
