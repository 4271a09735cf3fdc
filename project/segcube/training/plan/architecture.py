"""Arguments of the networks that recipes name, from a topology or a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segcube.training.plan.schema import complete_arguments
from segcube.training.plan.topology import Depth, Topology
from segcube.training.recipes import Planning, Recipe

MOST_STAGES = 12
UNET_LAYERS = {
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
"""Of nnU-Net's networks, whatever their stages."""


UNETS = ("PlainConvUNet", "ResidualEncoderUNet")
"""Networks that nnU-Net's rules are for."""


@dataclass(frozen=True)
class NetworkTask:
    """A network to plan: the recipe's, with the channels of its image and of its logits."""

    recipe: Recipe
    channels: int
    outputs: int
    classes: int
    """Labels or regions with the background, which nnU-Net estimates memory by."""


def depth_of(network: str, stages: int) -> Depth:
    """Return the convolutions or blocks of each stage, as nnU-Net's planners set them.

    network: PlainConvUNet or ResidualEncoderUNet.
    """
    if network == "PlainConvUNet":
        return Depth((2,) * stages, (2,) * (stages - 1), is_residual=False)
    blocks = (1, 3, 4, *(6,) * MOST_STAGES)
    return Depth(blocks[:stages], (1,) * (stages - 1), is_residual=True)


def features_of(planning: Planning, stages: int) -> tuple[int, ...]:
    """Return the features of each stage: twice those of the stage before, up to a maximum."""
    most = planning.most_features_2d if planning.resolution == "2d" else planning.most_features
    return tuple(min(planning.base_features * 2**stage, most) for stage in range(stages))


def unet_arguments(topology: Topology, task: NetworkTask) -> dict[str, Any]:
    """Return the complete arguments of an nnU-Net network; the recipe's replace them."""
    network, stages = task.recipe.network, len(topology.strides)
    depth = depth_of(network.name, stages)
    planned = {
        "input_channels": task.channels,
        "num_classes": task.outputs,
        "n_stages": stages,
        "features_per_stage": features_of(task.recipe.planning, stages),
        "kernel_sizes": topology.kernels,
        "strides": topology.strides,
        "n_blocks_per_stage" if depth.is_residual else "n_conv_per_stage": depth.encoder,
        "n_conv_per_stage_decoder": depth.decoder,
    }
    return _completed(UNET_LAYERS | planned, task)


def given_arguments(task: NetworkTask) -> dict[str, Any]:
    """Return the complete arguments of a network whose stages the recipe sets."""
    name = task.recipe.network.name
    if name == "MedNeXtV1":
        return _completed({"in_channels": task.channels, "out_channels": task.outputs}, task)
    channels = {"input_channels": task.channels, "num_classes": task.outputs}
    return _completed((UNET_LAYERS if name in UNETS else {}) | channels, task)


def _completed(planned: dict[str, Any], task: NetworkTask) -> dict[str, Any]:
    # Without a loss for the lower resolutions their outputs would be computed for nothing
    supervision = {"deep_supervision": task.recipe.loss.supervision != "none"}
    arguments = planned | task.recipe.network.arguments | supervision
    return complete_arguments(task.recipe.network.name, arguments)
