"""Keyword arguments of nnU-Net's networks, as its plans hold them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from segcube.networks.arguments import Count, DecoderStages, Dropout, Options, StagedArguments, Stages

Normalization: TypeAlias = Literal[
    "torch.nn.BatchNorm3d",
    "torch.nn.InstanceNorm3d",
    "torch.nn.modules.batchnorm.BatchNorm3d",
    "torch.nn.modules.instancenorm.InstanceNorm3d",
]
Nonlinearity: TypeAlias = Literal[
    "torch.nn.GELU",
    "torch.nn.LeakyReLU",
    "torch.nn.ReLU",
    "torch.nn.SiLU",
    "torch.nn.modules.activation.GELU",
    "torch.nn.modules.activation.LeakyReLU",
    "torch.nn.modules.activation.ReLU",
    "torch.nn.modules.activation.SiLU",
]
Block: TypeAlias = Literal[
    "dynamic_network_architectures.building_blocks.residual.BasicBlockD",
    "dynamic_network_architectures.building_blocks.residual.BottleneckD",
]


class NNUNetArguments(StagedArguments):
    """What nnU-Net's networks have in common."""

    n_conv_per_stage_decoder: DecoderStages[Count]
    conv_bias: bool = False
    norm_op: Normalization | None = None
    norm_op_kwargs: Options | None = None
    dropout_op: Dropout | None = None
    dropout_op_kwargs: Options | None = None
    nonlin: Nonlinearity | None = None
    nonlin_kwargs: Options | None = None


class PlainConvUNetArguments(NNUNetArguments):
    """nnU-Net's own U-Net."""

    n_conv_per_stage: Stages[Count]
    nonlin_first: bool = False


class ResidualUNetArguments(NNUNetArguments):
    """nnU-Net's residual encoders, with a plain or a residual decoder."""

    n_blocks_per_stage: Stages[Count]
    block: Block = "dynamic_network_architectures.building_blocks.residual.BasicBlockD"
    bottleneck_channels: Stages[Count] | None = None
    stem_channels: Count | None = None
