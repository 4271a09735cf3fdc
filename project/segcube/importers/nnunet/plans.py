"""plans.json and checkpoint settings of nnU-Net v2 that prediction depends on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from segcube.core import EnvironmentFault, Shape, Vector, explain_validation_error
from segcube.importers.nnunet.dataset import NNUNetModel
from segcube.importers.nnunet.slices import is_of_slices, to_three_dimensions
from segcube.spec.submission import Order

READ_AXES = "zyx"
"""The order of axes that all of nnU-Net's readers of NIfTI files give."""
P = TypeVar("P", bound=NNUNetModel)


class ResamplingOptions(NNUNetModel):
    """Keyword arguments of a resampling function."""

    order: Order = 3
    order_z: Order = 0
    force_separate_z: bool | None = None
    separate_z_anisotropy_threshold: Literal[3] = 3
    memefficient_seg_resampling: Literal[False] = False
    mode: Literal["linear"] = "linear"
    aniso_axis_mode: Literal["nearest-exact"] = "nearest-exact"


class Intensities(NNUNetModel):
    """Statistics of a channel in the foreground of the training set."""

    mean: float
    std: float
    percentile_00_5: float
    percentile_99_5: float


class Architecture(NNUNetModel):
    """Class and keyword arguments of the network."""

    network_class_name: str
    arch_kwargs: dict[str, Any]


class Configuration(NNUNetModel):
    """A configuration with the inherited entries."""

    spacing: tuple[float | None, float, float]
    """Null along the first axis of a 2d configuration."""
    patch_size: Shape
    normalization_schemes: tuple[str, ...]
    use_mask_for_norm: tuple[bool, ...]
    preprocessor_name: Literal["DefaultPreprocessor"] = "DefaultPreprocessor"
    resampling_fn_data: str
    resampling_fn_data_kwargs: dict[str, Any]
    resampling_fn_seg: str
    resampling_fn_seg_kwargs: dict[str, Any]
    resampling_fn_probabilities: str
    resampling_fn_probabilities_kwargs: dict[str, Any]
    architecture: Architecture
    batch_size: int | None = None
    batch_dice: bool = False
    median_image_size_in_voxels: Vector | None = None
    previous_stage: str | None = None
    is_cascaded_mask: bool = False
    cascaded_mask_dilation: float = 0

    @property
    def is_of_slices(self) -> bool:
        """Whether it is a 2d configuration, whose windows are one slice thick."""
        return self.spacing[0] is None


class InitArgs(NNUNetModel):
    """Arguments of the trainer."""

    configuration: str
    fold: int | str = 0


class Checkpoint(NNUNetModel):
    """A checkpoint of nnU-Net's trainer."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    network_weights: dict[str, torch.Tensor]
    init_args: InitArgs
    trainer_name: str = "nnUNetTrainer"
    inference_allowed_mirroring_axes: tuple[Annotated[int, Field(ge=0, le=2)], ...] | None = None


def _permutation(axes: tuple[int, int, int]) -> tuple[int, int, int]:
    if sorted(axes) != [0, 1, 2]:
        raise ValueError("0, 1 and 2, each once")
    return axes


class Plans(NNUNetModel):
    """plans.json."""

    plans_name: str = "nnUNetPlans"
    dataset_name: str = "unknown"
    image_reader_writer: Literal[
        "SimpleITKIO", "SimpleITKIOWithReorient", "NibabelIO", "NibabelIOWithReorient", "NaturalImage2DIO"
    ]
    transpose_forward: Annotated[tuple[int, int, int], AfterValidator(_permutation)]
    label_manager: Literal["LabelManager"] = "LabelManager"
    configurations: dict[str, dict[str, Any]]
    original_median_spacing_after_transp: Vector | None = None
    foreground_intensity_properties_per_channel: dict[str, Intensities] = Field(default_factory=dict)
    foreground_intensity_properties_by_modality: dict[str, Intensities] = Field(default_factory=dict)

    @property
    def axes(self) -> str:
        """The order of the arrays' axes."""
        return "".join(READ_AXES[axis] for axis in self.transpose_forward)

    @property
    def intensities(self) -> Mapping[str, Intensities]:
        """Statistics by channel number as text; older plans use another key."""
        older = self.foreground_intensity_properties_by_modality
        return self.foreground_intensity_properties_per_channel or older


def read_part(model: type[P], content: object, file: Path) -> P:
    """Validate the content of a file. Raises EnvironmentFault with the keys that are not valid."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise EnvironmentFault(
            explain_validation_error(error, model), file=file, expected="a file of nnU-Net v2"
        ) from error


def read_configuration(plans: Plans, name: str, file: Path) -> Configuration:
    """Read a configuration with its inherited entries; convert those of nnU-Net 2.0 to 2.3.

    A 2d one becomes one in three dimensions with windows of one slice. Raises EnvironmentFault for an unknown
    name and preprocessors other than nnU-Net's own.
    """
    content = _inherited(plans, name, file)
    if "architecture" not in content:
        content["architecture"] = _older_architecture(content, file)
    if is_of_slices(content):
        try:
            content = to_three_dimensions(content)
        except (KeyError, TypeError) as error:
            found = f"{name} has no valid {error}"
            raise EnvironmentFault(found, file=file, expected="a 2d configuration of nnU-Net v2") from error
    return read_part(Configuration, content, file)


def _inherited(plans: Plans, name: str, file: Path, children: tuple[str, ...] = ()) -> dict[str, Any]:
    if name not in plans.configurations or name in children:
        found = f"configuration {name} inherits itself" if name in children else f"no configuration {name}"
        raise EnvironmentFault(found, file=file, expected="one of " + ", ".join(plans.configurations))
    content = plans.configurations[name]
    parent = content.get("inherits_from")
    return {**(_inherited(plans, parent, file, (*children, name)) if parent else {}), **content}


def _older_architecture(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Convert the network of plans before nnU-Net 2.4 to the current format."""
    try:
        name = content["UNet_class_name"]
        counts = content["n_conv_per_stage_encoder"]
        widest = content["unet_max_num_features"]
        features = [min(content["UNet_base_num_features"] * 2**i, widest) for i in range(len(counts))]
        arguments = {
            "n_stages": len(counts),
            "features_per_stage": features,
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": content["conv_kernel_sizes"],
            "strides": content["pool_op_kernel_sizes"],
            "n_conv_per_stage" if name == "PlainConvUNet" else "n_blocks_per_stage": counts,
            "n_conv_per_stage_decoder": content["n_conv_per_stage_decoder"],
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        }
    except (KeyError, TypeError) as error:
        raise EnvironmentFault(f"a configuration without {error}", file=file, expected="a network") from error
    return {"network_class_name": f"dynamic_network_architectures.{name}", "arch_kwargs": arguments}
