"""The networks by name: arguments are checked without torch, constructors imported on use."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from segcube.core import Shape, UsageError, explain_validation_error, naming_missing_packages
from segcube.networks.arguments import Arguments, PlainConvUNetArguments, ResidualUNetArguments
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

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NetworkEntry:
    """The arguments and the constructor of a network."""

    arguments: type[Arguments]
    module: str
    """The module of the constructor in this package; importing MONAI takes seconds."""
    constructor: str


NETWORKS: Mapping[str, NetworkEntry] = {
    "MedNeXtV1": NetworkEntry(MedNeXtV1Arguments, "mednext_v1", "MedNeXtV1"),
    "MedNeXtV1MBAS": NetworkEntry(MedNeXtV1MBASArguments, "mednext_mbas", "MedNeXtV1MBAS"),
    "MedNeXtV2MBAS": NetworkEntry(MedNeXtV2MBASArguments, "mednext_mbas", "MedNeXtV2MBAS"),
    "PlainConvUNet": NetworkEntry(PlainConvUNetArguments, "nnunet", "PlainConvUNet"),
    "ResidualEncoderUNet": NetworkEntry(ResidualUNetArguments, "nnunet", "ResidualEncoderUNet"),
    "ResidualUNet": NetworkEntry(ResidualUNetArguments, "nnunet", "ResidualUNet"),
    "DynUNet": NetworkEntry(DynUNetArguments, "monai_networks", "DynUNet"),
    "SegResNet": NetworkEntry(SegResNetArguments, "monai_networks", "build_segresnet"),
    "SwinUNETR": NetworkEntry(SwinUNETRArguments, "monai_networks", "build_swin_unetr"),
    "UNet": NetworkEntry(UNetArguments, "monai_networks", "build_unet"),
}


def build_network(name: str, arguments: Mapping[str, object]) -> nn.Module:
    """Build a network, in training mode and with random weights, on torch's current default device.

    In eval mode all networks return only the logits at full resolution. Raises UsageError for an unknown
    name, key or value, with the valid ones, and EnvironmentFault where torch or MONAI is not installed.
    """
    checked = check_arguments(name, arguments)
    entry = NETWORKS[name]
    with naming_missing_packages():
        constructor = getattr(importlib.import_module(f"{__package__}.{entry.module}"), entry.constructor)
    try:
        return constructor(checked)
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(f"network {name} cannot be built from {dict(arguments)}: {error}") from error


build = build_network
"""`segcube.networks.build`, the short name for users."""


def check_arguments(name: str, arguments: Mapping[str, object]) -> Arguments:
    """Validate the arguments of a network and add defaults; nothing is built.

    Raises UsageError for an unknown name, key or value, with the valid ones.
    """
    if name not in NETWORKS:
        raise UsageError(f"unknown network {name!r}", expected="one of " + ", ".join(NETWORKS))
    model = NETWORKS[name].arguments
    try:
        return model.model_validate(dict(arguments))
    except ValidationError as error:
        raise UsageError(f"network {name}: {explain_validation_error(error, model)}") from error


def window_multiple(name: str, arguments: Mapping[str, object]) -> Shape:
    """The number that each axis of a window must be divisible by, in the network's order of axes.

    Raises UsageError as `check_arguments` does.
    """
    return check_arguments(name, arguments).multiple


def count_channels(name: str, arguments: Mapping[str, object]) -> tuple[int, int]:
    """Input and output channels of a network. Raises UsageError as `check_arguments` does."""
    return check_arguments(name, arguments).channels
