"""nnU-Net's networks from dynamic-network-architectures, with deep supervision only in training mode."""

from __future__ import annotations

from typing import Any

from dynamic_network_architectures.architectures import unet
from dynamic_network_architectures.building_blocks.residual import BasicBlockD, BottleneckD
from torch import nn

from segcube.networks.arguments import NNUNetArguments
from segcube.networks.blocks import torch_class

BLOCKS = {"BasicBlockD": BasicBlockD, "BottleneckD": BottleneckD}


class _NNUNet(nn.Module):
    """Returns logits (N, K, X, Y, Z); in training with deep supervision a list, full resolution first."""

    decoder: Any

    def __init__(self, arguments: NNUNetArguments) -> None:
        super().__init__(**_keywords(arguments))
        self.deep_supervision = arguments.deep_supervision

    def train(self, mode: bool = True) -> _NNUNet:
        """Switch between training and eval mode, deep supervision included."""
        super().train(mode)
        self.decoder.deep_supervision = mode and self.deep_supervision
        return self


class PlainConvUNet(_NNUNet, unet.PlainConvUNet):
    """nnU-Net's plain U-Net."""


class ResidualEncoderUNet(_NNUNet, unet.ResidualEncoderUNet):
    """nnU-Net's U-Net with a residual encoder."""


class ResidualUNet(_NNUNet, unet.ResidualUNet):
    """nnU-Net's U-Net with residual encoder and decoder."""


def _keywords(arguments: NNUNetArguments) -> dict[str, Any]:
    keywords = arguments.model_dump()
    for key in ("conv_op", "norm_op", "dropout_op", "nonlin"):
        keywords[key] = torch_class(keywords[key])
    if "block" in keywords:
        keywords["block"] = BLOCKS[keywords["block"].rpartition(".")[2]]
    return keywords
