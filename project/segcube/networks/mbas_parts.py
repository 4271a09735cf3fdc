"""What the MedNeXts of anenbergb/MBAS are put together from."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from segcube.core import Shape
from segcube.networks.blocks import (
    ONES,
    BlockPlan,
    MBASBlock,
    chain,
    make_norm,
    named,
    same_padding,
    torch_class,
    upsample_padding,
)
from segcube.networks.mednext_arguments import MBASArguments, MedNeXtV1MBASArguments, MedNeXtV2MBASArguments


class ConvNormRelu(nn.Module):
    """nnU-Net's convolution, norm and leaky ReLU; its checkpoints name the parameters twice."""

    def __init__(self, in_channels: int, out_channels: int, kernel: Shape, dropout: nn.Module | None) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, kernel, padding=same_padding(kernel))
        self.norm = nn.InstanceNorm3d(out_channels, eps=1e-5, affine=True)
        between = [dropout] if dropout else []
        self.all_modules = nn.Sequential(self.conv, *between, self.norm, nn.LeakyReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, C, X, Y, Z); returns (N, out_channels, X, Y, Z)."""
        return self.all_modules(x)


def make_dropout(arguments: MBASArguments) -> nn.Module | None:
    """A fresh dropout layer; None where there is none."""
    if not isinstance(arguments, MedNeXtV2MBASArguments) or arguments.dropout_op is None:
        return None
    return torch_class(arguments.dropout_op)(**(arguments.dropout_op_kwargs or {}))


def stage_plan(arguments: MBASArguments, stage: int) -> BlockPlan:
    """A block of the encoder that keeps size and width."""
    width = arguments.features_per_stage[stage]
    return BlockPlan(
        in_channels=width,
        out_channels=width,
        expansion=arguments.exp_ratio_per_stage[stage],
        kernel=arguments.kernel_sizes[stage],
        dilation=arguments.dilations[stage],
        norm=arguments.norm_type,
        response=arguments.enable_affine_transform,
        dropout=lambda: make_dropout(arguments),
    )


def striding_plan(arguments: MBASArguments, stage: int) -> BlockPlan:
    """The block that leads from the stage above (or the stem) into `stage`."""
    above = arguments.features_per_stage[stage - 1] if stage else arguments.stem_width
    return _projected(
        replace(
            stage_plan(arguments, stage),
            in_channels=above,
            kernel=arguments.down_kernels[stage],
            stride=arguments.strides[stage],
        )
    )


def decoder_plan(arguments: MBASArguments, stage: int) -> tuple[BlockPlan, BlockPlan]:
    """The first block of a decoder stage, and the others."""
    rest = replace(stage_plan(arguments, stage), expansion=_expansion(arguments, stage), dilation=ONES)
    wide = 2 * rest.in_channels if arguments.concatenates else rest.in_channels
    return _projected(replace(rest, in_channels=wide)), rest


def make_way_up(arguments: MBASArguments, stage: int) -> nn.Module:
    """What leads from the stage below up to `stage`: a block, or a plain transposed convolution."""
    below, width = arguments.features_per_stage[stage + 1], arguments.features_per_stage[stage]
    kernel, stride = arguments.kernel_sizes[stage + 1], arguments.strides[stage + 1]
    if isinstance(arguments, MedNeXtV2MBASArguments) and arguments.decoder_conv_trans_up:
        conv = nn.ConvTranspose3d(below, width, kernel, stride, same_padding(kernel))
        return nn.Sequential(conv, nn.ZeroPad3d(upsample_padding(stride)))
    plan = BlockPlan(
        in_channels=below,
        out_channels=width,
        expansion=_expansion(arguments, stage),
        kernel=kernel,
        stride=stride,
        upsample=True,
        norm=arguments.norm_type,
        response=arguments.enable_affine_transform,
    )
    return MBASBlock(_projected(plan))


def make_head(arguments: MBASArguments, stage: int) -> nn.Conv3d:
    """Logits from the features of `stage`."""
    return nn.Conv3d(arguments.features_per_stage[stage], arguments.num_classes, 1)


def make_stem_v1(arguments: MedNeXtV1MBASArguments) -> nn.Sequential:
    """A convolution whose kernel equals its stride, and a norm."""
    width, stride = arguments.features_per_stage[0], arguments.strides[0]
    conv = nn.Conv3d(arguments.input_channels, width, kernel_size=stride, stride=stride)
    return named(conv1=conv, norm=make_norm(arguments.norm_type, width))


def make_stem_v2(arguments: MedNeXtV2MBASArguments) -> nn.Sequential:
    """A convolution at full resolution and a norm, or nnU-Net's stem."""
    channels, width = arguments.input_channels, arguments.stem_width
    if arguments.stem_type == "StackedConvBlocks":
        conv = ConvNormRelu(channels, width, arguments.kernel_sizes[0], make_dropout(arguments))
        return named(convs=nn.Sequential(conv))
    kernel, dilation = arguments.stem_kernel_size, arguments.stem_dilation
    conv = nn.Conv3d(channels, width, kernel, padding=same_padding(kernel, dilation), dilation=dilation)
    return named(conv1=conv, norm=make_norm(arguments.norm_type, width))


def make_way_back(arguments: MedNeXtV1MBASArguments) -> nn.Sequential | None:
    """Blocks that undo the stem's stride, with their head; None where the stem keeps the size."""
    if arguments.strides[0] == ONES:
        return None
    plan = replace(
        stage_plan(arguments, 0),
        expansion=arguments.decoder_expansions[-1],
        kernel=arguments.decode_stem_kernel_size,
    )
    up = _projected(replace(plan, stride=arguments.strides[0], upsample=True))
    blocks = chain(MBASBlock, plan, arguments.decoder_blocks[-1])
    return nn.Sequential(MBASBlock(up), *blocks, make_head(arguments, 0))


def _expansion(arguments: MBASArguments, stage: int) -> int:
    """Widening in the decoder, whose entries begin at the lowest resolution."""
    return arguments.decoder_expansions[arguments.n_stages - 2 - stage]


def _projected(plan: BlockPlan) -> BlockPlan:
    """The plan with a residual that follows a change of size or width."""
    changes = plan.stride != ONES or plan.in_channels != plan.out_channels
    return replace(plan, residual="projection" if changes else "identity")
