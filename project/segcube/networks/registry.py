"""The networks by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from torch import nn

from segcube.core import Shape, UsageError, explain
from segcube.networks.arguments import Arguments
from segcube.networks.mednext_arguments import (
    MedNeXtV1Arguments,
    MedNeXtV1MBASArguments,
    MedNeXtV2MBASArguments,
)
from segcube.networks.monai_arguments import (
    DynUNetArguments,
    SegResNetArguments,
    SwinUNETRArguments,
    UNetArguments,
)
from segcube.networks.nnunet_arguments import PlainConvUNetArguments, ResidualUNetArguments


@dataclass(frozen=True)
class Entry:
    """What a network takes, and what makes it."""

    arguments: type[Arguments]
    module: str
    """Where the maker is, within this folder: imported only when it is wanted, for MONAI takes seconds."""
    maker: str


NETWORKS: Mapping[str, Entry] = {
    "MedNeXtV1": Entry(MedNeXtV1Arguments, "mednext_v1", "MedNeXtV1"),
    "MedNeXtV1MBAS": Entry(MedNeXtV1MBASArguments, "mednext_mbas", "MedNeXtV1MBAS"),
    "MedNeXtV2MBAS": Entry(MedNeXtV2MBASArguments, "mednext_mbas", "MedNeXtV2MBAS"),
    "PlainConvUNet": Entry(PlainConvUNetArguments, "nnunet", "PlainConvUNet"),
    "ResidualEncoderUNet": Entry(ResidualUNetArguments, "nnunet", "ResidualEncoderUNet"),
    "ResidualUNet": Entry(ResidualUNetArguments, "nnunet", "ResidualUNet"),
    "DynUNet": Entry(DynUNetArguments, "monai_networks", "DynUNet"),
    "SegResNet": Entry(SegResNetArguments, "monai_networks", "make_segresnet"),
    "SwinUNETR": Entry(SwinUNETRArguments, "monai_networks", "make_swin_unetr"),
    "UNet": Entry(UNetArguments, "monai_networks", "make_unet"),
}


def build_network(name: str, arguments: Mapping[str, object]) -> nn.Module:
    """Build a network, in training mode and with random weights, on torch's current default device.

    In eval mode every one gives the logits at full resolution alone. Raises UsageError for an unknown name,
    key or value, naming the valid ones.
    """
    checked = check_arguments(name, arguments)
    entry = NETWORKS[name]
    maker = getattr(importlib.import_module(f"{__package__}.{entry.module}"), entry.maker)
    try:
        return maker(checked)
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(f"network {name} cannot be built of {dict(arguments)}: {error}") from error


def check_arguments(name: str, arguments: Mapping[str, object]) -> Arguments:
    """The arguments in the network's own terms, defaults filled in; nothing is built.

    Raises UsageError for an unknown name, key or value, naming the valid ones.
    """
    if name not in NETWORKS:
        raise UsageError(f"unknown network {name!r}", expected="one of " + ", ".join(NETWORKS))
    grammar = NETWORKS[name].arguments
    try:
        return grammar.model_validate(dict(arguments))
    except ValidationError as error:
        raise UsageError(f"network {name}: {explain(error, grammar)}") from error


def window_multiple(name: str, arguments: Mapping[str, object]) -> Shape:
    """What a window's size must be divisible by, an axis each in the network's own order.

    Raises UsageError as `check_arguments` does.
    """
    return check_arguments(name, arguments).multiple


def count_channels(name: str, arguments: Mapping[str, object]) -> tuple[int, int]:
    """Channels that a network takes and gives. Raises UsageError as `check_arguments` does."""
    return check_arguments(name, arguments).channels


def count_parameters(network: nn.Module) -> int:
    """Numbers in a network's parameters, each once however many names it has."""
    return sum(parameter.numel() for parameter in network.parameters())
