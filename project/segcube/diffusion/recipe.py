"""Schema of a diffusion recipe: grid, network, process, optimizer and length of the training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from segcube.core import BoundedShape, Name, StrictModel, UsageError, explain_validation_error
from segcube.training.recipes import (
    INHERIT,
    Augmentation,
    Optimizer,
    Schedule,
    TrainingPrecision,
    find_recipe,
    merge_recipe,
    read_values,
    shipped_names,
)

FOLDER = Path(__file__).parent / "data"
Count = Annotated[int, Field(ge=1, le=100_000_000)]


class UNet(StrictModel):
    """MONAI's DiffusionModelUNet. blocks: residual ones of each level. head_channels: of attention."""

    channels: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=2, max_length=6)]
    attention: tuple[bool, ...]
    """Of each level; the lowest resolution always has one more, in the middle block."""
    blocks: Annotated[int, Field(ge=1, le=8)] = 2
    groups: Annotated[int, Field(ge=1, le=256)] = 32
    """Of the normalisation."""
    head_channels: Annotated[int, Field(ge=1, le=512)] = 32

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        if len(self.attention) != len(self.channels):
            raise ValueError(f"attention has {len(self.attention)} levels; expected {len(self.channels)}")
        if any(width % self.groups for width in self.channels):
            raise ValueError(f"channels {list(self.channels)}; expected multiples of groups, {self.groups}")
        if any(width % self.head_channels for width in (*self.channels, self.channels[-1])):
            found = f"channels {list(self.channels)}"
            raise ValueError(f"{found}; expected multiples of head_channels, {self.head_channels}")
        return self

    @property
    def multiple(self) -> int:
        """Of which the voxels of a patch are multiples along each axis."""
        return 2 ** (len(self.channels) - 1)


class ProcessRules(StrictModel):
    """How noise is added and removed.

    rectified-flow (Liu et al. 2023): a straight line from image to noise; the network predicts its direction.
    ddpm: the noise of Ho et al. 2020 with the cosine schedule of Nichol and Dhariwal 2021; the network
    predicts the noise. times: how training draws the time of rectified-flow, evenly or more often in the
    middle (logit-normal, Esser et al. 2024). noise_steps: of ddpm's schedule. sampling_steps: forward passes
    of a sample. eta: of ddpm's sampler, 0 for DDIM without noise, 1 for DDPM's own.
    """

    kind: Literal["rectified-flow", "ddpm"] = "rectified-flow"
    times: Literal["uniform", "logit-normal"] = "uniform"
    noise_steps: Annotated[int, Field(ge=2, le=10_000)] = 1000
    sampling_steps: Annotated[int, Field(ge=1, le=10_000)] = 30
    eta: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        if self.kind == "ddpm" and self.sampling_steps > self.noise_steps:
            found = f"sampling_steps {self.sampling_steps}"
            raise ValueError(f"{found}; expected at most noise_steps, {self.noise_steps}")
        return self


class DiffusionRecipe(StrictModel):
    """A training of a generative model.

    spacing: of its voxels in mm along x, y and z. patch: voxels along these axes; None for the largest case,
    which smaller ones lie in the middle of. batch: samples of a step. loss: mse, or l1 as Med-DDPM.
    """

    name: Name
    source: Annotated[str, Field(min_length=1)]
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0)
    patch: BoundedShape | None = None
    batch: Annotated[int, Field(ge=1, le=1024)] = 1
    network: UNet
    process: ProcessRules = ProcessRules()
    loss: Literal["mse", "l1"] = "mse"
    augmentation: Augmentation = Augmentation()
    """Intensity transforms would become part of what is learned; mirroring and small turns are harmless."""
    optimizer: Optimizer
    schedule: Schedule = Schedule(kind="constant")
    steps: Count
    precision: TrainingPrecision = "bf16"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.spacing) <= 0 or max(self.spacing) > 20:
            raise ValueError(f"spacing {list(self.spacing)}; expected more than 0 and at most 20 mm")
        if self.patch is not None and any(size % self.network.multiple for size in self.patch):
            multiple = self.network.multiple
            raise ValueError(f"patch {list(self.patch)}; expected multiples of {multiple}")
        if self.schedule.kind == "plateau":
            raise ValueError("schedule plateau needs a validation, which this training does not have")
        return self


def diffusion_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that segcube ships."""
    return shipped_names(FOLDER)


def load_diffusion_recipe(recipe: str, overrides: Mapping[str, Any] | None = None) -> DiffusionRecipe:
    """Read a recipe by its name or from a YAML file, with all values that it inherits.

    overrides: nested mappings whose values replace the recipe's. Raises UsageError for an unknown name, key
    or value.
    """
    file = find_recipe(recipe, FOLDER)
    content = merge_recipe(read_values(file, FOLDER), overrides or {})
    content.setdefault("name", file.stem)
    try:
        return DiffusionRecipe.model_validate(content)
    except ValidationError as error:
        found = explain_validation_error(error, DiffusionRecipe, further=[INHERIT])
        if file.parent == FOLDER:
            # Valid by itself: what was set is wrong, not the file
            raise UsageError(f"recipe {recipe}: {found}", hint="correct what was set") from error
        raise UsageError(found, file=file) from error
