"""What a backend is: it loads a member's network onto a device and runs windows through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from segcube.core import Array, Shape
from segcube.spec.submission import Branch, Stage, Submission


@dataclass(frozen=True)
class MemberFile:
    """A member's weights, and the network that its branch asks for."""

    file: Path
    sha256: str
    channels: int
    """Of the branch's image, masks of an earlier stage included."""
    outputs: int
    window: Shape


def member_files(submission: Submission, folder: Path) -> Iterator[MemberFile]:
    """Every member of a submission, in its order."""
    for stage in submission.stages:
        for branch in stage.branches:
            yield from branch_files(stage, branch, submission, folder)


def branch_files(stage: Stage, branch: Branch, submission: Submission, folder: Path) -> list[MemberFile]:
    """The members of one branch, in its order."""
    channels, outputs = channels_in(stage, branch, submission), len(branch.outputs.names)
    return [
        MemberFile(folder / member.file, member.sha256, channels, outputs, branch.window.size)
        for member in branch.members
    ]


def channels_in(stage: Stage, branch: Branch, submission: Submission) -> int:
    """Channels of the branch's image: its own, and a mask for each name of an earlier stage."""
    follows = stage.follows
    if follows is None or follows.as_ != "onehot_channels":
        return len(branch.channels)
    earlier = next(other for other in submission.stages if other.name == follows.stage)
    return len(branch.channels) + len(follows.taken(earlier.names))


@dataclass(frozen=True)
class AccumulatorView:
    """A part of a sum, as large as the windows that are added to it."""

    sum_kxyz: np.ndarray
    """float32; changed in place."""
    channel_weights: np.ndarray
    """What a channel is multiplied by before it is added."""
    weight_xyz: np.ndarray | None = None
    """The same of a voxel, float32; None for ones."""

    def turned(self, axes: Sequence[int]) -> AccumulatorView:
        """The same for windows that are turned round along some of x, y and z as 0, 1 and 2."""
        if not axes:
            return self
        sum_kxyz = np.flip(self.sum_kxyz, tuple(axis + 1 for axis in axes))
        weight_xyz = None if self.weight_xyz is None else np.flip(self.weight_xyz, tuple(axes))
        return replace(self, sum_kxyz=sum_kxyz, weight_xyz=weight_xyz)

    def scaled(self, weight_k: np.ndarray) -> AccumulatorView:
        """The same for windows whose channels are multiplied by weights of their own as well."""
        return replace(self, channel_weights=self.channel_weights * weight_k)


class DeviceMemoryError(Exception):
    """The device has too little memory for what was asked; a leaner way may do."""


class Network(Protocol):
    """A member's weights on a device."""

    def __call__(self, batch_ncxyz: Array) -> Array:
        """Logits (N, K, X, Y, Z), float32, on the same device; they stand until the next call.

        Raises DeviceMemoryError.
        """
        ...


@runtime_checkable
class AddingNetwork(Protocol):
    """One on the host that can add what it says of a window to a sum as it makes it."""

    def add(self, window_ncxyz: np.ndarray, onto: AccumulatorView) -> None:
        """Add it, of one window, to a part of a sum that fits. Raises DeviceMemoryError."""
        ...


class Backend(Protocol):
    """A device and the library that drives it."""

    name: str
    device: str
    precision: str
    reason: str
    """Why this backend, device and precision, in one line."""

    def load(self, member: MemberFile) -> Network:
        """The network of a weights file, read and checked once a run.

        Raises EnvironmentFault for a file that is missing, changed or not finite, or does not fit its branch.
        """
        ...

    def join(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> Network | None:
        """One network that gives sum_m weight_mk * logits_m; None where nothing is gained by that.

        Raises EnvironmentFault as load does.
        """
        ...

    def upload(self, array: np.ndarray) -> Array:
        """The array on the device. Raises DeviceMemoryError."""
        ...

    def zeros(self, channels: int, shape: Shape) -> Array:
        """A float32 accumulator (channels, *shape) on the device. Raises DeviceMemoryError."""
        ...

    def download(self, array: Array) -> np.ndarray:
        """The array on the host; no copy where it is there already."""
        ...

    def release(self) -> None:
        """Give back memory that is cached and not in use."""
        ...

    def in_full_precision(self) -> Backend:
        """The same device in fp32, for a case whose half-precision result is not finite."""
        ...
