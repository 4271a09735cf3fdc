"""The networks that plans name, as those of `segcube.networks`."""

from __future__ import annotations

from pathlib import Path

from segcube.errors import EnvironmentFault
from segcube.importers.nnunet.model import Model

NNUNET = "dynamic_network_architectures"
MBAS = "mbas.architectures"
NETWORKS = {
    (NNUNET, "PlainConvUNet"): "PlainConvUNet",
    (NNUNET, "ResidualEncoderUNet"): "ResidualEncoderUNet",
    (NNUNET, "ResidualUNet"): "ResidualUNet",
    (MBAS, "MedNeXt"): "MedNeXtV1MBAS",
    (MBAS, "MedNeXt_July"): "MedNeXtV1MBAS",
    (MBAS, "MedNeXtV2"): "MedNeXtV2MBAS",
}
"""By package and class; a class's module within the package has moved more than once."""
UNREAD = ("deep_supervision",)
"""Arguments that only training depends on."""


def network_of(model: Model, channels: int, outputs: int) -> tuple[str, dict[str, object]]:
    """The name and arguments of a model's network.

    channels, outputs: that it takes and gives. Raises EnvironmentFault for a class that is not known.
    """
    architecture = model.configuration.architecture
    arguments = {key: value for key, value in architecture.arch_kwargs.items() if key not in UNREAD}
    name = _name(architecture.network_class_name, model.source)
    if architecture.network_class_name.endswith("_July"):
        kernel = arguments.get("stem_kernel_size", 1)
        arguments |= {"override_down_kernel_size": True, "down_kernel_size": kernel}
    if model.trainer == "nnUNetTrainerBN":
        norm = {"norm_op": "torch.nn.BatchNorm3d", "norm_op_kwargs": {"eps": 1e-5, "affine": True}}
        arguments |= norm
    return name, {**arguments, "input_channels": channels, "num_classes": outputs}


def _name(dotted: str, source: Path) -> str:
    kind = dotted.rpartition(".")[2]
    for (package, known), name in NETWORKS.items():
        if kind == known and dotted.startswith(f"{package}."):
            return name
    raise EnvironmentFault(
        f"network {dotted}",
        file=source,
        expected="one of " + ", ".join(f"{package}...{kind}" for package, kind in NETWORKS),
    )
