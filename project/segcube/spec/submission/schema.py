"""A submission as data: stages of branches of members."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from segcube.core import FileName, Model, Name, Names, Once
from segcube.spec.challenges.schema import BACKGROUND
from segcube.spec.submission.branch import Branch, Member
from segcube.spec.submission.rules import Paints, Rule


class Length(Model):
    """A radius or margin, in voxels of the native grid or in millimetres."""

    radius: Annotated[float, Field(ge=0.0, le=1000.0)]
    unit: Literal["voxels", "mm"] = "voxels"


class Follows(Model):
    """How a stage takes an earlier one's result.

    gate: outside the dilated mask the result is background. onehot_channels: the earlier labels join the
    image, a channel each. crop: the stage sees the box around the dilated mask alone; dilate is its margin.
    grid: where a gate is dilated and shut: the native one, or the branch's own, whose voxels count there,
    before the result is restored (MBAS). paint: turns the regions of an earlier stage into labels, later ones
    over earlier ones, that `names` then orders.
    """

    stage: Name
    as_: Annotated[Literal["gate", "onehot_channels", "crop"], Field(alias="as")]
    names: Names | None = None
    paint: Paints = ()
    dilate: Length = Length(radius=0)
    keep: Literal["largest_component", "all"] = "all"
    grid: Literal["native", "branch"] = "native"

    def taken(self, earlier: tuple[str, ...]) -> tuple[str, ...]:
        """The names that are taken from what the earlier stage hands on; the background never is one."""
        painted = tuple(dict.fromkeys(paint.label for paint in self.paint))
        return tuple(name for name in self.names or painted or earlier if name != BACKGROUND)

    @model_validator(mode="after")
    def _only_gates_choose_a_grid(self) -> Self:
        if self.grid == "branch" and self.as_ != "gate":
            raise ValueError("grid: branch belongs to as: gate")
        return self


class Stage(Model):
    """A merge of branches on the native grid."""

    name: Name
    regions: Names | None = None
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
            if self.merge == "logits" and branch.window.average == "probabilities":
                raise ValueError(f"merge logits needs windows that average them, unlike branch {index}'s")
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

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    challenge: FileName
    """A key, or a YAML file beside this one."""
    serves: Once[FileName] = ()
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
    def _files_are_one_thing(self) -> Self:
        digests: dict[str, str] = {}
        for member in self.members:
            if digests.setdefault(member.file, member.sha256) != member.sha256:
                raise ValueError(f"{member.file} has two values of sha256")
        return self

    @model_validator(mode="after")
    def _stages_follow_earlier_ones(self) -> Self:
        seen: dict[str, Stage] = {}
        for stage in self.stages:
            if stage.name in seen:
                raise ValueError(f"two stages are called {stage.name}")
            follows = stage.follows
            if follows and follows.stage not in seen:
                raise ValueError(f"stage {stage.name} follows {follows.stage!r}, not one of {list(seen)}")
            if follows:
                _check_taken(stage.name, follows, seen[follows.stage])
            seen[stage.name] = stage
        return self


def _check_taken(stage: str, follows: Follows, earlier: Stage) -> None:
    """What a stage takes is there to be taken: regions that are painted, and names of the result."""
    handed = tuple(name for name in earlier.names if name != BACKGROUND)
    valid = tuple(paint.label for paint in follows.paint) or earlier.names
    lacking = [name for name in follows.names or () if name not in valid]
    lacking += [paint.region for paint in follows.paint if paint.region not in handed]
    if lacking:
        raise ValueError(f"stage {stage} takes {lacking} of {earlier.name}, which has {list(earlier.names)}")
    if not follows.taken(handed):
        raise ValueError(f"stage {stage} takes nothing but the background of {earlier.name}")
