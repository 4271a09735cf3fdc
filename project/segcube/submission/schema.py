"""A submission as data: stages of branches of members."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator
from typing_extensions import Self

from segcube.submission.rules import Model, Rule
from segcube.validation import AxisCodes

Axis: TypeAlias = Literal["x", "y", "z"]
Weight: TypeAlias = Annotated[float, Field(ge=0.0)]
Triple: TypeAlias = tuple[float, float, float]
Order: TypeAlias = Literal[0, 1, 3]


class Intensity(Model):
    """What the training pipeline did to intensities before all else."""

    cast: Literal["int16_abs"] | None = None


class Normalize(Model):
    """How a channel's intensities are brought to scale.

    zscore takes its statistics from `mask`: nonzero (the channel's own voxels), foreground (the union of
    the channels' voxels with holes filled) or none (all voxels). ct clips to `bounds`, then uses the given
    `mean` and `std`. `percentiles` clips to these percentiles of the mask and rescales to 0..1 first.
    """

    scheme: Literal["zscore", "ct", "rescale01", "rgb01", "none"] = "zscore"
    mask: Literal["nonzero", "foreground", "none"] = "nonzero"
    percentiles: tuple[float, float] | None = None
    bounds: tuple[float, float] | None = None
    mean: float | None = None
    std: Annotated[float, Field(ge=0.0)] | None = None

    @model_validator(mode="after")
    def _ct_knows_its_numbers(self) -> Self:
        numbers = (self.bounds, self.mean, self.std)
        if self.scheme == "ct" and None in numbers:
            raise ValueError("scheme ct needs bounds, mean and std")
        if self.scheme != "ct" and numbers != (None, None, None):
            raise ValueError(f"bounds, mean and std belong to scheme ct, not to {self.scheme}")
        if self.percentiles and not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError("percentiles are two numbers, rising, from 0 to 100")
        return self


class Resampling(Model):
    """Spline orders of resampling, into the branch's grid (image) and back (output).

    separate_z: auto resamples the coarse axis of anisotropic data by itself at `order_z`, as nnU-Net does.
    """

    image: Order = 3
    output: Order = 1
    order_z: Order = 0
    separate_z: Literal["auto", "always", "never"] = "auto"


class Outputs(Model):
    """A network's channels: overlapping regions (sigmoid) or labels (softmax, background first)."""

    kind: Literal["regions", "labels"]
    names: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_sound(self) -> Self:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"names repeat: {', '.join(self.names)}")
        if self.kind == "labels" and (self.names[0] != "background" or len(self.names) < 2):
            raise ValueError("label names begin with background and hold at least one more")
        return self


class Window(Model):
    """Sliding windows, sizes in the branch's own axis order.

    plan nnunet spreads the steps evenly and mirrors window by window; plan monai moves the last window back
    and mirrors the whole volume: each as its origin does, to the voxel.
    """

    size: tuple[int, int, int]
    overlap: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    plan: Literal["nnunet", "monai"] = "nnunet"
    blend: Literal["gaussian", "constant"] = "gaussian"

    @model_validator(mode="after")
    def _size_is_positive(self) -> Self:
        if min(self.size) < 1:
            raise ValueError("sizes are at least 1")
        return self


class Member(Model):
    """A network's weights beside this file, and its say in the ensemble."""

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    weight: Weight | dict[str, Weight] = 1.0

    def weighs(self, name: str) -> float:
        """The member's weight for one of the stage's channels."""
        return self.weight[name] if isinstance(self.weight, dict) else self.weight


class Branch(Model):
    """One way of preprocessing, with the members that share it."""

    channels: Annotated[tuple[str, ...], Field(min_length=1)]
    axes: Literal["xyz", "zyx"] = "xyz"
    orientation: Literal["native"] | AxisCodes = "native"
    intensity: Intensity = Intensity()
    crop: Literal["nonzero", "none"] = "nonzero"
    normalize: Normalize | Annotated[tuple[Normalize, ...], Field(min_length=1)] = Normalize()
    spacing: Triple | None = None
    resampling: Resampling = Resampling()
    outputs: Outputs
    window: Window
    flips: tuple[Axis, ...] = ()
    members: Annotated[tuple[Member, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        if isinstance(self.normalize, tuple) and len(self.normalize) != len(self.channels):
            raise ValueError(f"{len(self.normalize)} normalize entries for {len(self.channels)} channels")
        if self.spacing is not None and min(self.spacing) <= 0:
            raise ValueError("spacing is three lengths in mm, all above 0")
        if len(set(self.flips)) != len(self.flips):
            raise ValueError(f"flips repeat: {', '.join(self.flips)}")
        return self

    def normalize_of(self, channel: int) -> Normalize:
        """The scheme of one channel, counted from 0."""
        return self.normalize[channel] if isinstance(self.normalize, tuple) else self.normalize


class Length(Model):
    """A radius or margin, in voxels of the native grid or in millimetres."""

    radius: Annotated[float, Field(ge=0.0)]
    unit: Literal["voxels", "mm"] = "voxels"


class Follows(Model):
    """How a stage takes an earlier one's result.

    gate: outside the dilated mask the result is background. onehot_channels: the earlier labels join the
    image, a channel each. crop: the stage sees the box around the dilated mask alone; dilate is its margin.
    """

    stage: str
    as_: Annotated[Literal["gate", "onehot_channels", "crop"], Field(alias="as")]
    names: tuple[str, ...] | None = None
    dilate: Length = Length(radius=0)
    keep: Literal["largest_component", "all"] = "all"


class Stage(Model):
    """A merge of branches on the native grid."""

    name: str
    regions: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    merge: Literal["probabilities", "logits"] = "probabilities"
    follows: Follows | None = None
    branches: Annotated[tuple[Branch, ...], Field(min_length=1)]

    @property
    def kind(self) -> Literal["regions", "labels"]:
        """regions that may overlap, or labels that exclude each other."""
        return "regions" if self.regions else self.branches[0].outputs.kind

    @property
    def names(self) -> tuple[str, ...]:
        """What the stage hands on, channel by channel."""
        return self.regions or self.branches[0].outputs.names

    @model_validator(mode="after")
    def _branches_fit(self) -> Self:
        for index, branch in enumerate(self.branches):
            outputs = branch.outputs
            if self.regions is None and (outputs.kind, outputs.names) != (self.kind, self.names):
                raise ValueError(f"branch {index} has other outputs than branch 0: name the stage's regions")
            if self.merge == "logits" and (outputs.kind, outputs.names) != (self.kind, self.names):
                raise ValueError(
                    f"merge logits needs equal outputs; branch {index} has {list(outputs.names)}"
                )
            self._weights_fit(branch, index)
        for name in self.names:
            if not any(member.weighs(name) for branch in self.branches for member in branch.members):
                raise ValueError(f"no weight of any member is above 0 for {name}")
        return self

    def _weights_fit(self, branch: Branch, index: int) -> None:
        for member in branch.members:
            if isinstance(member.weight, dict) and set(member.weight) != set(self.names):
                raise ValueError(
                    f"branch {index}: {member.file} weighs {list(member.weight)}, not {list(self.names)}"
                )


class Submission(Model):
    """All that the image must know about a set of models."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    challenge: str
    serves: tuple[str, ...] = ()
    starter: bool = False
    licence: str = "unknown"
    citation: str | None = None
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    postprocess: tuple[Rule, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Challenges that may be asked for, the submission's own first."""
        return (self.challenge, *(key for key in self.serves if key != self.challenge))

    @property
    def members(self) -> tuple[Member, ...]:
        """Every member of every stage, in order."""
        return tuple(m for stage in self.stages for branch in stage.branches for m in branch.members)

    @model_validator(mode="after")
    def _stages_follow_earlier_ones(self) -> Self:
        seen: dict[str, Stage] = {}
        for stage in self.stages:
            if stage.name in seen:
                raise ValueError(f"two stages are called {stage.name}")
            follows = stage.follows
            if follows and follows.stage not in seen:
                raise ValueError(f"stage {stage.name} follows {follows.stage!r}, not one of {list(seen)}")
            if follows and not set(follows.names or ()) <= set(seen[follows.stage].names):
                raise ValueError(f"stage {stage.name} takes {list(follows.names or ())} of {follows.stage}")
            seen[stage.name] = stage
        return self
