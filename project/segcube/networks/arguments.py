"""Types of keyword arguments that networks share, and the arguments of nnU-Net's networks; no torch."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from segcube.core import Shape

T = TypeVar("T")

MAX_COUNT = 4096
"""Channels or blocks: building a larger network would not end."""
Count: TypeAlias = Annotated[int, Field(ge=1, le=MAX_COUNT, strict=True)]
Fraction: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]
Options: TypeAlias = dict[str, bool | int | float]
"""Keyword arguments of a layer."""
Norm: TypeAlias = Literal["group", "layer"]
Conv: TypeAlias = Literal["torch.nn.modules.conv.Conv3d", "torch.nn.Conv3d"]
Dropout: TypeAlias = Literal[
    "torch.nn.Dropout",
    "torch.nn.Dropout3d",
    "torch.nn.modules.dropout.Dropout",
    "torch.nn.modules.dropout.Dropout3d",
]


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


def repeated(times: int) -> BeforeValidator:
    """Repeat a single number."""

    def repeat(value: Any) -> Any:
        return (value,) * times if isinstance(value, int) else value

    return BeforeValidator(repeat)


def _check_odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("only an odd kernel keeps the size")
    return value


Extent: TypeAlias = Annotated[tuple[Count, Count, Count], repeated(3)]
"""A kernel, stride or dilation; one number applies to all three axes."""
Odd: TypeAlias = Annotated[Count, AfterValidator(_check_odd)]
OddExtent: TypeAlias = Annotated[tuple[Odd, Odd, Odd], repeated(3)]


def _repeat_over_stages(fewer: int) -> Callable[[Any, ValidationInfo], Any]:
    def repeat(value: Any, info: ValidationInfo) -> Any:
        stages = info.data.get("n_stages")
        return (value,) * (stages - fewer) if isinstance(value, int) and stages else value

    return repeat


def _check_count(fewer: int) -> Callable[[tuple[T, ...], ValidationInfo], tuple[T, ...]]:
    def check(value: tuple[T, ...], info: ValidationInfo) -> tuple[T, ...]:
        expected = info.data.get("n_stages", len(value) + fewer) - fewer
        if len(value) != expected:
            raise ValueError(f"{len(value)} entries where n_stages requires {expected}")
        return value

    return check


def _check_resolution(strides: tuple[Shape, ...]) -> tuple[Shape, ...]:
    if strides[0] != (1, 1, 1):
        raise ValueError("the first stage must have stride 1, or the logits lose the input's resolution")
    return strides


Stages: TypeAlias = Annotated[
    tuple[T, ...], BeforeValidator(_repeat_over_stages(0)), AfterValidator(_check_count(0))
]
"""An entry for each of `n_stages`, from full to lowest resolution; one number applies to all."""
DecoderStages: TypeAlias = Annotated[
    tuple[T, ...], BeforeValidator(_repeat_over_stages(1)), AfterValidator(_check_count(1))
]
"""An entry for each stage but the bottleneck, from lowest to full resolution; one number applies to all."""
KeepsResolution = AfterValidator(_check_resolution)
FullStrides: TypeAlias = Annotated[Stages[Extent], KeepsResolution]


class Arguments(BaseModel):
    """Keyword arguments of a network: frozen, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    @abstractmethod
    def channels(self) -> tuple[int, int]:
        """Channels in and out."""

    @property
    @abstractmethod
    def multiple(self) -> Shape:
        """The number that each axis of a window must be divisible by."""


class StagedArguments(Arguments):
    """An encoder and decoder in stages, with the names of nnU-Net's plans."""

    input_channels: Count
    num_classes: Count
    n_stages: Annotated[int, Field(ge=2, strict=True)]
    features_per_stage: Stages[Count]
    kernel_sizes: Stages[Extent]
    strides: FullStrides
    conv_op: Conv = "torch.nn.modules.conv.Conv3d"
    deep_supervision: bool = False

    @property
    def channels(self) -> tuple[int, int]:
        return self.input_channels, self.num_classes

    @property
    def multiple(self) -> Shape:
        """The product of all strides."""
        return product(self.strides)


class NNUNetArguments(StagedArguments):
    """Common arguments of nnU-Net's networks."""

    n_conv_per_stage_decoder: DecoderStages[Count]
    conv_bias: bool = False
    norm_op: Normalization | None = None
    norm_op_kwargs: Options | None = None
    dropout_op: Dropout | None = None
    dropout_op_kwargs: Options | None = None
    nonlin: Nonlinearity | None = None
    nonlin_kwargs: Options | None = None


class PlainConvUNetArguments(NNUNetArguments):
    """nnU-Net's plain U-Net."""

    n_conv_per_stage: Stages[Count]
    nonlin_first: bool = False


class ResidualUNetArguments(NNUNetArguments):
    """nnU-Net's residual encoder, with a plain or residual decoder."""

    n_blocks_per_stage: Stages[Count]
    block: Block = "dynamic_network_architectures.building_blocks.residual.BasicBlockD"
    bottleneck_channels: Stages[Count] | None = None
    stem_channels: Count | None = None


def product(strides: tuple[Shape, ...]) -> Shape:
    """Strides multiplied along each axis."""
    x, y, z = (math.prod(axis) for axis in zip(*strides, strict=True))
    return x, y, z
