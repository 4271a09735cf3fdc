"""dataset.json of nnU-Net v2: channels, labels and files of a data set."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from segcube.spec.challenges import BACKGROUND

IGNORE = "ignore"
"""nnU-Net's name of the label whose voxels take no part in training."""


class NNUNetModel(BaseModel):
    """A part of a file of nnU-Net; other keys are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def _declared(found: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    listed = ", ".join(f"{name}={list(values)}" for name, values in found.items())
    if found.get(BACKGROUND) != (0,):
        raise ValueError(f"has {listed}; expected {BACKGROUND} with the value 0")
    if all(len(values) == 1 for values in found.values()) and len(set(found.values())) != len(found):
        raise ValueError(f"two labels of one value: {listed}; expected a different value for each label")
    return found


Value: TypeAlias = Annotated[int, Field(ge=0)]
Values: TypeAlias = Annotated[
    tuple[Value, ...],
    Field(min_length=1),
    BeforeValidator(lambda found: (found,) if isinstance(found, int) else found),
]
Number: TypeAlias = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]


class Dataset(NNUNetModel):
    """dataset.json."""

    channel_names: dict[Number, str] | None = None
    modality: dict[Number, str] | None = None
    labels: Annotated[dict[str, Values], AfterValidator(_declared)]
    """The values of each label or region, without the ignore label."""
    ignore: Value | None = None
    """The value of the ignore label, which nnU-Net declares among the labels."""
    regions_class_order: tuple[int, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _take_ignore_out_of_the_labels(cls, content: Any) -> Any:
        labels = content.get("labels") if isinstance(content, dict) else None
        if not isinstance(labels, dict):
            return content
        value = labels.get(IGNORE)
        single = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
        return {**content, "labels": {k: v for k, v in labels.items() if k != IGNORE}, IGNORE: single}

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names in the order of their numbers."""
        named = self.channel_names or self.modality or {}
        return tuple(named[key] for key in sorted(named, key=int))

    @property
    def regions(self) -> dict[str, tuple[int, ...]]:
        """The values of each region; empty for a model of labels."""
        if all(len(values) == 1 for values in self.labels.values()):
            return {}
        return {name: values for name, values in self.labels.items() if set(values) != {0}}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The name of each output: regions as declared, or labels by value."""
        return tuple(self.regions) or tuple(sorted(self.labels, key=lambda name: self.labels[name]))

    @property
    def label_names(self) -> dict[int, str]:
        """The name of each label value, by increasing value, without the background."""
        found = {value: name for name, values in self.labels.items() for value in values}
        return {value: found[value] for value in sorted(found) if value != 0}
