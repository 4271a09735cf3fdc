"""Schema of a training recipe: everything about a training that does not follow from the data."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from segcube.core import BoundedShape, Name, StrictModel, Unique
from segcube.spec.challenges import BACKGROUND
from segcube.spec.submission import Axis
from segcube.training.recipes.augmentation import Augmentation, Positive, Probability
from segcube.training.recipes.cascade import Cascade
from segcube.training.recipes.loss import Loss
from segcube.training.recipes.synthetic import Synthetic

TrainingPrecision: TypeAlias = Literal["bf16", "fp16", "fp32"]
Steps: TypeAlias = Annotated[int, Field(ge=1, le=100_000_000)]

AXES = 3

Decay: TypeAlias = Annotated[float, Field(ge=0.0, lt=1.0)]


class Network(StrictModel):
    """The network; the planner adds the arguments that follow from channels, labels and patch."""

    name: Literal["PlainConvUNet", "ResidualEncoderUNet", "MedNeXtV1", "MedNeXtV1MBAS", "MedNeXtV2MBAS"]
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Replace those of the planner."""

    @model_validator(mode="after")
    def _check_supervision(self) -> Self:
        if "deep_supervision" in self.arguments:
            raise ValueError("arguments: deep_supervision is not set here; expected loss.supervision")
        return self


class Planning(StrictModel):
    """How patch, batch and topology follow from the fingerprint.

    nnunet: nnU-Net's rules. fixed: patch and batch as given, the network's arguments as in `network`; an
    nnU-Net network without strides there gets stages that follow from the patch. patch: in the branch's order
    of axes, which under preprocessing nnunet is the coarsest axis first, then z, y, x. With rules nnunet,
    patch and batch replace those planned. resolution: low plans nnU-Net's 3d_lowres where the cases are large
    enough for it; 2d plans patches of one slice across the first axis, along which nothing is resampled.
    reference: voxels of feature maps that the memory target allows for a batch of two, or in 2d of twelve
    (nnU-Net's UNet_reference_val_3d and _2d), and the memory in GB that they belong to.
    """

    rules: Literal["nnunet", "fixed"] = "nnunet"
    resolution: Literal["full", "low", "2d"] = "full"
    reference: Positive = 560_000_000
    reference_2d: Positive = 85_000_000
    reference_gb: Positive = 8.0
    memory_gb: Positive = 8.0
    base_features: Annotated[int, Field(ge=1, le=1024)] = 32
    most_features: Annotated[int, Field(ge=1, le=4096)] = 320
    most_features_2d: Annotated[int, Field(ge=1, le=4096)] = 512
    largest_batch_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05
    """The largest share of the data set's voxels in a batch."""
    patch: BoundedShape | None = None
    batch: Annotated[int, Field(ge=1, le=1024)] | None = None

    @field_validator("patch", mode="before")
    @classmethod
    def _check_patch(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) != AXES:
            expected = "expected 3 numbers, such as [96, 96, 96]; with resolution 2d [1, 96, 96]"
            raise ValueError(f"patch {list(value)}; {expected}")
        return value

    @model_validator(mode="after")
    def _check_fixed(self) -> Self:
        if self.rules == "fixed" and (self.patch is None or self.batch is None):
            raise ValueError("rules: fixed requires patch and batch")
        if self.resolution == "2d" and self.patch is not None and self.patch[0] != 1:
            raise ValueError(f"resolution 2d with patch {list(self.patch)}; expected 1 as its first number")
        return self


class Preprocessing(StrictModel):
    """Which preprocessing the branch gets.

    nnunet: cropped to nonzero voxels, z-scored, resampled to the target spacing. brats-ugrip: BraTS-UGRIP's,
    at 1 mm. spacing: in mm along x, y and z, in place of the planner's; None follows the rules.
    """

    kind: Literal["nnunet", "brats-ugrip"] = "nnunet"
    spacing: tuple[Positive, Positive, Positive] | None = None
    outputs: Literal["auto", "regions", "labels"] = "auto"
    """auto: regions where the challenge's regions overlap, labels otherwise."""
    union: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=50)] | None = None
    """Name of a single region of all labels, in place of the challenge's regions: a cascade's first stage."""

    @model_validator(mode="after")
    def _check_union(self) -> Self:
        if self.union == BACKGROUND:
            raise ValueError(f"union: {BACKGROUND} is no region; expected another name")
        if self.union is not None and self.outputs == "labels":
            raise ValueError("outputs: labels with a union; expected auto or regions")
        return self


class ForegroundChange(StrictModel):
    """Another share of foreground from a share of the recipe's steps on."""

    after: Probability
    foreground: Probability


class Sampling(StrictModel):
    """Which patches a batch holds.

    foreground: the share of samples that show a voxel of a random class. draw: fixed leaves the first
    round(batch x (1 - foreground)) samples of each batch random and forces the others (nnU-Net); probability
    draws it for each sample. changes: of foreground during the training, in order. class_weights: of the
    outputs' names; all equal by default. voxels: uniform draws one of the class's voxels, slices first one of
    the slices along the branch's first axis that have some (anenbergb/MBAS). position: nnunet lets a patch
    reach beyond the case by half of what the augmentation needs; inside keeps it within.
    """

    foreground: Probability = 0.33
    draw: Literal["fixed", "probability"] = "fixed"
    changes: tuple[ForegroundChange, ...] = ()
    voxels: Literal["uniform", "slices"] = "uniform"
    class_weights: dict[Name, Annotated[float, Field(ge=0.0)]] | None = None
    position: Literal["nnunet", "inside"] = "nnunet"

    @model_validator(mode="after")
    def _check_changes(self) -> Self:
        shares = [change.after for change in self.changes]
        if shares != sorted(shares):
            raise ValueError(f"changes: after = {shares}; expected increasing shares of the steps")
        return self

    def foreground_at(self, progress: float) -> float:
        """Return the share of foreground after a share of the steps."""
        past = [change.foreground for change in self.changes if progress >= change.after]
        return past[-1] if past else self.foreground


class Optimizer(StrictModel):
    """The update of the weights. clip: the largest norm of the gradient; None does not clip.

    average: decay of an exponential moving average of the weights, which is then validated and exported.
    """

    kind: Literal["sgd", "adam", "adamw", "schedule-free-adamw"]
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    momentum: Decay = 0.99
    nesterov: bool = True
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    eps: Positive = 1e-8
    clip: Positive | None = 12.0
    average: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None

    @model_validator(mode="after")
    def _check_average(self) -> Self:
        if self.kind == "schedule-free-adamw" and self.average is not None:
            raise ValueError("average: schedule-free-adamw averages by itself; expected null")
        if self.kind == "schedule-free-adamw" and self.betas[0] == 0:
            raise ValueError("betas: schedule-free-adamw divides by the first, 0; expected one above 0")
        return self


class Schedule(StrictModel):
    """The learning rate as a function of the step.

    poly: (1 - step / steps) ** power. cosine: to `minimum`. multistep: times `factor` at each milestone, a
    share of the steps. plateau: times `factor` after `patience` validations without a lower loss.
    warmup: steps of linear increase. interval: steps for which the rate stays; nnU-Net changes it once an
    epoch.
    """

    kind: Literal["constant", "poly", "cosine", "multistep", "plateau"] = "poly"
    power: Positive = 0.9
    minimum: Annotated[float, Field(ge=0.0)] = 0.0
    milestones: tuple[Probability, ...] = (1 / 3, 2 / 3)
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    patience: Steps = 10
    warmup: Annotated[int, Field(ge=0)] = 0
    interval: Steps = 1


class Validation(StrictModel):
    """Validation during training, by sliding windows over whole cases: every so many steps, so many cases."""

    every: Steps = 5000
    cases: Annotated[int, Field(ge=1)] = 4


class Recipe(StrictModel):
    """A training: network, preprocessing, patches, augmentation, loss, optimizer and length."""

    name: Name
    source: Annotated[str, Field(min_length=1)]
    """Where the numbers come from, and what departs from there."""
    network: Network
    planning: Planning = Planning()
    preprocessing: Preprocessing = Preprocessing()
    sampling: Sampling = Sampling()
    augmentation: Augmentation = Augmentation()
    loss: Loss = Loss()
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    steps: Steps
    epoch: Steps = 250
    """Steps of an epoch, for reports."""
    precision: TrainingPrecision = "bf16"
    """Of the forward pass; fp32 on a CPU without instructions for it."""
    gradient_checkpointing: Literal["auto", "on", "off"] = "auto"
    cascade: Cascade | None = None
    """Of a second stage, which is planned with --previous."""
    synthetic: Synthetic | None = None
    """Phantoms to train on; None for the cases of the data set alone."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    validation: Validation = Validation()
    mirrors: Unique[Axis] = ("x", "y", "z")
    """Mirroring axes of the exported submission."""
    overlap: Annotated[float, Field(ge=0.0, le=0.95)] = 0.5
    """Of its windows."""

    @property
    def uses_cases(self) -> bool:
        """Whether any sample shows a case of the data set; False with phantoms alone."""
        return self.synthetic is None or self.synthetic.share < 1

    @model_validator(mode="after")
    def _check_schedule(self) -> Self:
        if self.schedule.kind == "plateau" and self.validation.every > self.steps:
            raise ValueError("schedule plateau requires validation.every of at most steps")
        return self
