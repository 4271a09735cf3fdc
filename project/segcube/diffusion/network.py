"""The denoising network: MONAI's DiffusionModelUNet, which takes image, condition and time as channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet
from torch import nn

from segcube.core import EnvironmentFault
from segcube.diffusion.recipe import DiffusionRecipe
from segcube.spec.challenges import Challenge

TIME_SCALE = 1000.0
"""Times are embedded as numbers from 0 to this."""


class Denoiser(nn.Module):
    """A UNet whose last input channel is the time."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, image_bcxyz: torch.Tensor) -> torch.Tensor:
        """Return the prediction (B, C, X, Y, Z) for noisy channels, condition and time."""
        time_b = image_bcxyz[:, -1, 0, 0, 0]
        return self.unet(image_bcxyz[:, :-1], time_b * TIME_SCALE)


def build_denoiser(recipe: DiffusionRecipe, channels: int, challenge: Challenge) -> Denoiser:
    """Build the network of a recipe for so many image channels, with random weights of its seed."""
    rules = recipe.network
    torch.manual_seed(recipe.seed)
    # Each label but the background, and the body
    masks = len(challenge.labels)
    unet = DiffusionModelUNet(
        spatial_dims=3,
        in_channels=channels + masks,
        out_channels=channels,
        num_res_blocks=rules.blocks,
        channels=rules.channels,
        attention_levels=rules.attention,
        norm_num_groups=rules.groups,
        num_head_channels=rules.head_channels,
    )
    return Denoiser(unet)


def check_weights(network: Denoiser, weights: Mapping[str, torch.Tensor], file: Path) -> None:
    """Raise EnvironmentFault for weights of another network; it may be one without memory (meta)."""
    expected = {name: tuple(value.shape) for name, value in network.unet.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if other := sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    ):
        name = other[0]
        raise EnvironmentFault(
            f"weights of another network: {name} has the shape {found.get(name)}",
            file=file,
            expected=f"{expected.get(name)}, as model.yaml has it",
        )


class DenoisingLoss:
    """The mean error of a prediction, squared or absolute."""

    def __init__(self, kind: str) -> None:
        self._function = nn.functional.l1_loss if kind == "l1" else nn.functional.mse_loss

    def __call__(
        self,
        outputs: Sequence[torch.Tensor],
        target: torch.Tensor,
        whole: torch.Tensor | None = None,
        _progress: float = 0.0,
        /,
    ) -> dict[str, torch.Tensor]:
        """Return the loss; of a part of a batch, its share of that of the batch."""
        share = 1.0 if whole is None else len(target) / len(whole)
        return {"loss": self._function(outputs[0].float(), target) * share}
