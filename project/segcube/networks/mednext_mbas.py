"""The MedNeXts of anenbergb/MBAS: features, kernels, strides and blocks are free in each stage."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from segcube.core import Shape
from segcube.networks.blocks import (
    ONES,
    BlockPlan,
    MBASBlock,
    make_norm,
    named_sequence,
    repeat_block,
    same_padding,
    torch_class,
    upsample_padding,
)
from segcube.networks.mednext_arguments import MBASArguments, MedNeXtV1MBASArguments, MedNeXtV2MBASArguments


class Encoder(nn.Module):
    """A stem and stages; returns the features of all stages, full resolution first."""

    def __init__(self, stem: nn.Module, stages: list[nn.Sequential]) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)

    def forward(self, image_ncxyz: torch.Tensor) -> list[torch.Tensor]:
        """image_ncxyz: (N, C, X, Y, Z)."""
        x = self.stem(image_ncxyz)
        features: list[torch.Tensor] = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class Decoder(nn.Module):
    """Decoder stages with a head each; V1 has a head at the bottleneck and the stem's upsampling too.

    The encoder is registered here too, as in the published network: checkpoints hold it under two names.
    """

    def __init__(self, arguments: MBASArguments, encoder: Encoder) -> None:
        super().__init__()
        bottleneck, *upwards = range(arguments.n_stages - 1, -1, -1)
        v1 = isinstance(arguments, MedNeXtV1MBASArguments)
        self.deep_supervision = arguments.deep_supervision
        self.concatenate = arguments.concatenates
        self.encoder = encoder
        self.stages = nn.ModuleList(make_decoder_stage(arguments, stage) for stage in upwards)
        self.up_blocks = nn.ModuleList(make_upsampling(arguments, stage) for stage in upwards)
        self.seg_layers = nn.ModuleList(
            make_head(arguments, stage) for stage in ((bottleneck, *upwards) if v1 else upwards)
        )
        self.decode_stem_seg = make_stem_upsampling(arguments) if v1 else None

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
        """features: of the encoder; the list is emptied, which frees memory early."""
        supervised = self.training and self.deep_supervision
        x = features.pop()
        heads = list(self.seg_layers)
        extra = len(heads) - len(self.stages)
        outputs = [head(x) for head in heads[:extra] if supervised]
        for up_block, stage, head in zip(self.up_blocks, self.stages, heads[extra:], strict=True):
            up, skip = up_block(x), features.pop()
            x = stage(torch.cat([up, skip], dim=1) if self.concatenate else up + skip)
            if supervised:
                outputs.append(head(x))
        if self.decode_stem_seg is not None:
            outputs.append(self.decode_stem_seg(x))
        elif not supervised:
            outputs.append(heads[-1](x))
        return outputs[::-1] if supervised else outputs[0]


class MBASMedNeXt(nn.Module):
    """Encoder and decoder; input (N, C, X, Y, Z), each axis a multiple of the product of strides.

    Returns logits (N, K, X, Y, Z); in training with deep supervision a list of them, full resolution first.
    """

    def __init__(self, arguments: MBASArguments, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = Decoder(arguments, encoder)

    def forward(self, image_ncxyz: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits at full resolution; in training with deep supervision those of the lower stages too."""
        return self.decoder(self.encoder(image_ncxyz))


class MedNeXtV1MBAS(MBASMedNeXt):
    """MBAS's `MedNeXt`: a stem or downsampling block comes before the counted blocks of each stage."""

    def __init__(self, arguments: MedNeXtV1MBASArguments) -> None:
        stages: list[nn.Sequential] = []
        for stage, count in enumerate(arguments.n_blocks_per_stage):
            first = MBASBlock(downsampling_plan(arguments, stage)) if stage else make_stem_v1(arguments)
            rest = repeat_block(MBASBlock, stage_plan(arguments, stage), count)
            stages.append(nn.Sequential(first, *rest))
        super().__init__(arguments, Encoder(nn.Identity(), stages))


class MedNeXtV2MBAS(MBASMedNeXt):
    """MBAS's `MedNeXtV2`: a stem at full resolution, then stages whose first block downsamples."""

    def __init__(self, arguments: MedNeXtV2MBASArguments) -> None:
        stem = make_stem_v2(arguments)
        stages: list[nn.Sequential] = []
        for stage, count in enumerate(arguments.n_blocks_per_stage):
            first = MBASBlock(downsampling_plan(arguments, stage))
            rest = repeat_block(MBASBlock, stage_plan(arguments, stage), count - 1)
            stages.append(nn.Sequential(first, *rest))
        super().__init__(arguments, Encoder(stem, stages))


class ConvNormRelu(nn.Module):
    """nnU-Net's convolution, norm and leaky ReLU; checkpoints hold the parameters under two names."""

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
    """Make a dropout layer; None without dropout."""
    if not isinstance(arguments, MedNeXtV2MBASArguments) or arguments.dropout_op is None:
        return None
    return torch_class(arguments.dropout_op)(**(arguments.dropout_op_kwargs or {}))


def stage_plan(arguments: MBASArguments, stage: int) -> BlockPlan:
    """Settings of an encoder block that keeps size and channels."""
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


def downsampling_plan(arguments: MBASArguments, stage: int) -> BlockPlan:
    """Settings of the block from the previous stage (or the stem) to `stage`."""
    return replace(
        stage_plan(arguments, stage),
        in_channels=arguments.features_per_stage[stage - 1] if stage else arguments.stem_width,
        kernel=arguments.down_kernels[stage],
        stride=arguments.strides[stage],
    )


def make_decoder_stage(arguments: MBASArguments, stage: int) -> nn.Sequential:
    """Make the blocks of a decoder stage; the first one joins the skip, if that is concatenated."""
    entry = arguments.n_stages - 2 - stage
    plan = replace(stage_plan(arguments, stage), expansion=arguments.decoder_expansions[entry], dilation=ONES)
    first = replace(plan, in_channels=plan.in_channels * (2 if arguments.concatenates else 1))
    count = arguments.decoder_blocks[entry]
    return nn.Sequential(MBASBlock(first), *repeat_block(MBASBlock, plan, count - 1))


def make_upsampling(arguments: MBASArguments, stage: int) -> nn.Module:
    """Make the upsampling to `stage`: a block, or a plain transposed convolution."""
    lower, width = arguments.features_per_stage[stage + 1], arguments.features_per_stage[stage]
    kernel, stride = arguments.kernel_sizes[stage + 1], arguments.strides[stage + 1]
    if isinstance(arguments, MedNeXtV2MBASArguments) and arguments.decoder_conv_trans_up:
        conv = nn.ConvTranspose3d(lower, width, kernel, stride, same_padding(kernel))
        return nn.Sequential(conv, nn.ZeroPad3d(upsample_padding(stride)))
    plan = BlockPlan(
        in_channels=lower,
        out_channels=width,
        expansion=arguments.decoder_expansions[arguments.n_stages - 2 - stage],
        kernel=kernel,
        stride=stride,
        upsample=True,
        norm=arguments.norm_type,
        response=arguments.enable_affine_transform,
    )
    return MBASBlock(plan)


def make_head(arguments: MBASArguments, stage: int) -> nn.Conv3d:
    """Make the convolution from the features of `stage` to logits."""
    return nn.Conv3d(arguments.features_per_stage[stage], arguments.num_classes, 1)


def make_stem_v1(arguments: MedNeXtV1MBASArguments) -> nn.Sequential:
    """Make a convolution whose kernel equals its stride, and a norm."""
    width, stride = arguments.features_per_stage[0], arguments.strides[0]
    conv = nn.Conv3d(arguments.input_channels, width, kernel_size=stride, stride=stride)
    return named_sequence(conv1=conv, norm=make_norm(arguments.norm_type, width))


def make_stem_v2(arguments: MedNeXtV2MBASArguments) -> nn.Sequential:
    """Make a convolution at full resolution and a norm, or nnU-Net's stem."""
    channels, width = arguments.input_channels, arguments.stem_width
    if arguments.stem_type == "StackedConvBlocks":
        conv = ConvNormRelu(channels, width, arguments.kernel_sizes[0], make_dropout(arguments))
        return named_sequence(convs=nn.Sequential(conv))
    kernel, dilation = arguments.stem_kernel_size, arguments.stem_dilation
    conv = nn.Conv3d(channels, width, kernel, padding=same_padding(kernel, dilation), dilation=dilation)
    return named_sequence(conv1=conv, norm=make_norm(arguments.norm_type, width))


def make_stem_upsampling(arguments: MedNeXtV1MBASArguments) -> nn.Sequential | None:
    """Make the blocks and the head that undo the stem's stride; None for a stem of stride 1."""
    if arguments.strides[0] == ONES:
        return None
    plan = replace(
        stage_plan(arguments, 0),
        expansion=arguments.decoder_expansions[-1],
        kernel=arguments.decode_stem_kernel_size,
    )
    up = replace(plan, stride=arguments.strides[0], upsample=True)
    blocks = repeat_block(MBASBlock, plan, arguments.decoder_blocks[-1])
    return nn.Sequential(MBASBlock(up), *blocks, make_head(arguments, 0))
