"""Schema of submission.yaml: stages, their branches and members, and the cascade between stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from segcube.core import FileName, Name, Names, StrictModel, Unique
from segcube.spec.challenges.schema import BACKGROUND
from segcube.spec.submission.branch import Branch, Member
from segcube.spec.submission.rules import Paints, Rule


class DilationRadius(StrictModel):
    """A radius or margin, in voxels of the native grid or in mm."""

    radius: Annotated[float, Field(ge=0.0, le=1000.0)]
    unit: Literal["voxels", "mm"] = "voxels"


class Follows(StrictModel):
    """How a stage of a cascade uses the result of a previous stage.

    as gate: the result is background outside the dilated mask. as onehot_channels: the previous labels are
    appended to the image, one channel each. as crop: the image is cropped to the box around the mask, with
    margin `dilate`. grid: where a gate is dilated and applied: the native grid, or the branch's grid, with
    the radius in its voxels, before the result is restored (MBAS). paint: converts the regions of the
    previous stage to labels, later ones over earlier ones; `names` selects and orders them.
    """

    stage: Name
    as_: Annotated[Literal["gate", "onehot_channels", "crop"], Field(alias="as")]
    names: Names | None = None
    paint: Paints = ()
    dilate: DilationRadius = DilationRadius(radius=0)
    keep: Literal["largest_component", "all"] = "all"
    grid: Literal["native", "branch"] = "native"

    def input_names(self, previous: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names that are used of those that the previous stage outputs, without the background."""
        painted = tuple(dict.fromkeys(paint.label for paint in self.paint))
        return tuple(name for name in self.names or painted or previous if name != BACKGROUND)

    @model_validator(mode="after")
    def _check_grid(self) -> Self:
        if self.grid == "branch" and self.as_ != "gate":
            raise ValueError(f"grid: branch requires as: gate, not as: {self.as_}")
        return self


class Stage(StrictModel):
    """One or more branches, merged on the native grid."""

    name: Name
    regions: Names | None = None
    merge: Literal["probabilities", "logits"] = "probabilities"
    follows: Follows | None = None
    branches: Annotated[tuple[Branch, ...], Field(min_length=1)]

    @property
    def kind(self) -> Literal["regions", "labels"]:
        """regions, which may overlap, or labels, which exclude each other."""
        return "regions" if self.regions else self.branches[0].outputs.kind

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the output channels, in order."""
        return self.regions or self.branches[0].outputs.names

    @property
    def members(self) -> tuple[Member, ...]:
        """All members of all branches, in order."""
        return tuple(member for branch in self.branches for member in branch.members)

    @model_validator(mode="after")
    def _check_branches(self) -> Self:
        for index, branch in enumerate(self.branches):
            outputs = branch.outputs
            if self.regions is None and (outputs.kind, outputs.names) != (self.kind, self.names):
                raise ValueError(f"branch {index} has other outputs than branch 0; set regions of the stage")
            if self.merge == "logits" and (outputs.kind, outputs.names) != (self.kind, self.names):
                found = f"merge logits requires equal outputs; branch {index} has {list(outputs.names)}"
                raise ValueError(found)
            if self.merge == "logits" and branch.window.average == "probabilities":
                found = f"merge logits requires window.average logits; branch {index} has probabilities"
                raise ValueError(found)
            self._check_weights(branch, index)
        for name in self.names:
            if not any(member.weight_for(name) for member in self.members):
                raise ValueError(f"{name}: the weights of all members are 0")
        return self

    def _check_weights(self, branch: Branch, index: int) -> None:
        for member in branch.members:
            if isinstance(member.weight, dict) and set(member.weight) != set(self.names):
                raise ValueError(
                    f"branch {index}: weight of {member.file} has keys {list(member.weight)}; "
                    f"expected {list(self.names)}"
                )


class Submission(StrictModel):
    """A set of trained models, with everything that inference needs to know about them."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    challenge: FileName
    """Key of a challenge, or a challenge file in the same folder."""
    serves: Unique[FileName] = ()
    starter: bool = False
    licence: str = "unknown"
    citation: str | None = None
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    postprocess: tuple[Rule, ...] = ()

    @property
    def challenge_keys(self) -> tuple[str, ...]:
        """Keys of the challenges that it can be run for, `challenge` first."""
        return (self.challenge, *(key for key in self.serves if key != self.challenge))

    @property
    def members(self) -> tuple[Member, ...]:
        """All members of all stages, in order."""
        return tuple(member for stage in self.stages for member in stage.members)

    def with_branches(self, change: Callable[[Stage, Branch], Branch]) -> Submission:
        """Return a copy in which each branch is what `change` makes of it and its stage."""
        stages = tuple(
            stage.model_copy(update={"branches": tuple(change(stage, branch) for branch in stage.branches)})
            for stage in self.stages
        )
        return self.model_copy(update={"stages": stages})

    @model_validator(mode="after")
    def _check_digests(self) -> Self:
        digests: dict[str, str] = {}
        for member in self.members:
            if digests.setdefault(member.file, member.sha256) != member.sha256:
                raise ValueError(f"{member.file}: two different values of sha256")
        return self

    @model_validator(mode="after")
    def _check_cascade(self) -> Self:
        seen: dict[str, Stage] = {}
        for stage in self.stages:
            if stage.name in seen:
                raise ValueError(f"duplicate stage name {stage.name}")
            follows = stage.follows
            if follows and follows.stage not in seen:
                raise ValueError(
                    f"stage {stage.name} follows {follows.stage!r}; expected a previous stage of {list(seen)}"
                )
            if follows:
                _check_inputs(stage.name, follows, seen[follows.stage])
            seen[stage.name] = stage
        return self


def _check_inputs(stage: str, follows: Follows, previous: Stage) -> None:
    """Raise ValueError for painted regions and names that the previous stage does not output."""
    outputs = tuple(name for name in previous.names if name != BACKGROUND)
    valid = tuple(paint.label for paint in follows.paint) or previous.names
    unknown = [name for name in follows.names or () if name not in valid]
    unknown += [paint.region for paint in follows.paint if paint.region not in outputs]
    if unknown:
        raise ValueError(
            f"stage {stage} follows {previous.name} with unknown {unknown}; "
            f"{previous.name} outputs {list(previous.names)}"
        )
    if not follows.input_names(outputs):
        raise ValueError(f"stage {stage} follows {previous.name} with background only")
