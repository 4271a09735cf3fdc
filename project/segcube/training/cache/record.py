"""case.json of a cached case: what its arrays hold, and from which files and preprocessing they come."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field

from segcube.core import BoundedShape, FileName, Name, Names, Sha256, Shape, StrictModel, UsageError
from segcube.spec.challenges import Challenge
from segcube.spec.submission import Branch
from segcube.training.losses import loss_outputs
from segcube.training.patches import OUTSIDE
from segcube.training.recipes import Cascade

IMAGE, LABELS, VOXELS, RECORD = "image.npy", "labels.npy", "voxels.npy", "case.json"
PREVIOUS = "previous.npy"
Rows: TypeAlias = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
"""Rows of voxels.npy, from the first up to but excluding the last."""
Index: TypeAlias = Annotated[int, Field(ge=0, lt=256)]


@dataclass(frozen=True)
class CacheRules:
    """How the cases of a run are cached.

    ignore: the value of voxels that take no part in training. cascade: of a second stage. mask_values: of the
    labels in the previous stage's maps that become channels, in their order; none for a gate.
    """

    branch: Branch
    challenge: Challenge
    ignore: int | None = None
    cascade: Cascade | None = None
    mask_values: tuple[int, ...] = ()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The challenge's labels in the order of their values, the background first; indices are stored."""
        labels = self.challenge.labels
        if len(labels) > OUTSIDE:
            raise UsageError(
                f"{len(labels)} labels", expected=f"at most {OUTSIDE}, which are stored as bytes"
            )
        return tuple(sorted(labels, key=lambda name: labels[name]))

    @cached_property
    def classes(self) -> Mapping[str, tuple[int, ...]]:
        """The label indices of each output but the background."""
        outputs = loss_outputs(self.branch.outputs, self.challenge)
        found = dict(zip(self.branch.outputs.names, outputs.labels, strict=True))
        if outputs.kind == "labels":
            del found[self.branch.outputs.names[0]]
        return found

    @cached_property
    def annotated(self) -> tuple[int, ...] | None:
        """All stored labels that are known, where voxels may be ignored: OUTSIDE and the challenge's."""
        return None if self.ignore is None else (OUTSIDE, *range(len(self.labels)))

    @cached_property
    def digest(self) -> str:
        """Of all that the arrays depend on beside the files."""
        content: dict[str, object] = {
            "branch": self.branch.model_dump(mode="json", exclude={"members", "window", "flips"}),
            "labels": self.challenge.labels,
            "classes": self.classes,
            "ignore": self.ignore,
            "format": 1,
        }
        if self.cascade is not None:
            content["previous"] = [self.cascade.keep, *self.mask_values]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class StoredFile(StrictModel):
    """A file when it was read."""

    name: FileName
    bytes: Annotated[int, Field(ge=0)]
    mtime_ns: int
    sha256: Sha256

    @classmethod
    def of(cls, file: Path) -> Self:
        """Read a file. Raises OSError."""
        found = file.stat()
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(name=file.name, bytes=found.st_size, mtime_ns=found.st_mtime_ns, sha256=digest)

    def matches(self, file: Path) -> bool:
        """Return whether a file is the same: by size and time, or by its content where only the time differs.

        Raises OSError.
        """
        found = file.stat()
        if found.st_size != self.bytes:
            return False
        return found.st_mtime_ns == self.mtime_ns or StoredFile.of(file).sha256 == self.sha256


class NativeGrid(StrictModel):
    """Where the cached grid lies in the native one, as transforms.Placement without resampling."""

    shape: BoundedShape
    affine: Annotated[tuple[float, ...], Field(min_length=16, max_length=16)]
    """Row by row, from native voxels to mm."""
    permutation: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    box_start: tuple[int, int, int]
    box_stop: tuple[int, int, int]


class CaseRecord(StrictModel):
    """case.json."""

    format: Literal[1] = 1
    name: FileName
    files: dict[Name, StoredFile]
    """Of each channel, and of `label`."""
    preprocessing: Sha256
    """CacheRules.digest."""
    labels: Names
    """The label of each index."""
    label_values: dict[int, int] = Field(default_factory=dict)
    """What the values of the label map became before, where the case is of a further source."""
    channels: Names
    shape: BoundedShape
    """Of image and labels."""
    present: tuple[Index, ...]
    """All indices in labels.npy."""
    classes: dict[Name, Rows]
    """Stored voxels of each output."""
    annotated: Rows | None
    """Stored voxels with a known label, where voxels may be ignored."""
    native: NativeGrid
    arrays: dict[FileName, StoredFile]

    @property
    def image_shape(self) -> tuple[int, int, int, int]:
        """Of image.npy."""
        return (len(self.channels), *self.shape)

    @property
    def digest(self) -> str:
        """Of the content of the arrays."""
        content = [self.preprocessing, *(self.arrays[name].sha256 for name in sorted(self.arrays))]
        return hashlib.sha256(" ".join(content).encode()).hexdigest()


def bytes_of(shape: Shape, channels: int) -> int:
    """Return the bytes of a case's image and labels."""
    voxels = shape[0] * shape[1] * shape[2]
    return voxels * (2 * channels + 1)
