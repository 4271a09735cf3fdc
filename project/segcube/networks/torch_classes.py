"""The classes that plans name with dots: a table, so that no name of a file is ever imported."""

from __future__ import annotations

from typing import Any

from torch import nn

_TABLE: dict[str, type[nn.Module]] = {
    "BatchNorm3d": nn.BatchNorm3d,
    "Conv3d": nn.Conv3d,
    "Dropout": nn.Dropout,
    "Dropout3d": nn.Dropout3d,
    "GELU": nn.GELU,
    "InstanceNorm3d": nn.InstanceNorm3d,
    "LeakyReLU": nn.LeakyReLU,
    "ReLU": nn.ReLU,
    "SiLU": nn.SiLU,
}


def torch_class(name: str | None) -> Any:
    """The class of a dotted name that the arguments' grammar allows; None gives None."""
    return _TABLE[name.rpartition(".")[2]] if name else None
