"""Networks from MONAI, with deep supervision only in training mode."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks import nets
from monai.networks.nets.dynunet import DynUNetSkipLayer

from segcube.networks.monai_arguments import (
    DynUNetArguments,
    SegResNetArguments,
    SwinUNETRArguments,
    UNetArguments,
)


class DynUNet(nets.DynUNet):
    """MONAI's DynUNet; in training with deep supervision a list of logits, full resolution first.

    MONAI interpolates the logits of the lower levels to full resolution.
    """

    def __init__(self, arguments: DynUNetArguments) -> None:
        keywords = arguments.model_dump()
        if arguments.upsample_kernel_size is None:
            keywords["upsample_kernel_size"] = arguments.strides[1:]
        super().__init__(**keywords)

    def train(self, mode: bool = True) -> DynUNet:
        """Switch between training and eval mode; in eval mode the lower levels' heads do not run."""
        super().train(mode)
        for layer in self.modules():
            if isinstance(layer, DynUNetSkipLayer):
                layer.heads = self.heads if mode else None
        return self

    def forward(self, x: torch.Tensor) -> Any:
        """x: (N, C, X, Y, Z); returns logits (N, K, X, Y, Z), or a list of them."""
        outputs = super().forward(x)
        return list(outputs.unbind(1)) if self.training and self.deep_supervision else outputs


def build_segresnet(arguments: SegResNetArguments) -> nets.SegResNet:
    """MONAI's SegResNet."""
    return nets.SegResNet(**arguments.model_dump())


def build_unet(arguments: UNetArguments) -> nets.UNet:
    """MONAI's UNet."""
    keywords = arguments.model_dump()
    return nets.UNet(channels=keywords.pop("features"), **keywords)


def build_swin_unetr(arguments: SwinUNETRArguments) -> nets.SwinUNETR:
    """MONAI's SwinUNETR."""
    # Its constructor reads values of a tensor, which the meta device does not support
    with torch.device("cpu"):
        return nets.SwinUNETR(**arguments.model_dump())
