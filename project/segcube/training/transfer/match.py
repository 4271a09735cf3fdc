"""Fit trained weights to another network: channels and outputs by name, larger kernels by interpolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from torch.nn import functional

from segcube.core import UsageError
from segcube.importers import same_name
from segcube.networks import ChannelAxes, channel_axes
from segcube.spec.submission import Outputs

LISTED = 5
"""Tensors that a message names."""
Tensors: TypeAlias = Mapping[str, torch.Tensor]
Fate: TypeAlias = Literal["copied", "adapted", "fresh", "left out"]


@dataclass(frozen=True)
class NetworkSpec:
    """A network, and what its channels mean."""

    network: str
    arguments: Mapping[str, Any]
    channels: tuple[str, ...]
    outputs: Outputs

    @property
    def axes(self) -> ChannelAxes:
        """The axes of channels and outputs in its tensors."""
        return channel_axes(self.network, self.arguments)


@dataclass(frozen=True)
class TensorFate:
    """What became of a tensor: of the new network, or left out of the trained one."""

    name: str
    fate: Fate
    how: str = ""


@dataclass(frozen=True)
class Matched:
    """The weights that a training starts from."""

    tensors: dict[str, torch.Tensor]
    fates: tuple[TensorFate, ...]


@dataclass(frozen=True)
class Reset:
    """What starts anew in spite of trained weights: whole tensors, and single outputs of the heads."""

    tensors: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()


@dataclass
class _Matching:
    """Rows and faults, as they are found."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    fates: list[TensorFate] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)

    def add(self, name: str, tensor: torch.Tensor, fate: Fate, how: str = "") -> None:
        self.tensors[name] = tensor
        self.fates.append(TensorFate(name, fate, how))


def match_weights(
    trained: Tensors, source: NetworkSpec, fresh: Tensors, target: NetworkSpec, reset: Reset | None = None
) -> Matched:
    """Fit trained weights to a network.

    trained: of the network `source`. fresh: the random weights of `target`, which stay where nothing fits.
    Channels and outputs are matched by name. A new channel gets the mean of the trained ones. Kernels larger
    than the trained ones are interpolated (UpKern, Roy et al. 2023). Heads of lower resolutions may be
    missing or left over. Raises UsageError for any other tensor without a counterpart, and for an output that
    the trained network does not have, unless `reset` names it.
    """
    reset, found = reset or Reset(), _Matching()
    axes, source_axes = target.axes, source.axes
    rows = _output_rows(source.outputs, target.outputs, reset) if _needs_rows(axes, reset) else []
    columns = _channel_columns(source.channels, target.channels)
    for name, new in fresh.items():
        old = trained.get(name)
        if name in reset.tensors:
            found.add(name, new, "fresh", "reset")
        elif old is None and name in axes.outputs:
            found.add(name, new, "fresh", "no such head")
        elif old is None:
            found.missing.append(name)
        else:
            fitted, how = old, list[str]()
            if name in axes.inputs and name in source_axes.inputs:
                fitted = _select_channels(fitted, axes.inputs[name], columns)
                how += _describe("channels", source.channels, target.channels, columns, "from their mean")
            if name in axes.outputs and name in source_axes.outputs:
                fitted = _select_rows(fitted, new, axes.outputs[name], rows)
                how += _describe("outputs", source.outputs.names, target.outputs.names, rows, "fresh")
            if _is_smaller_kernel(fitted, new):
                how.append(f"kernel {_size(fitted)} to {_size(new)}")
                fitted = functional.interpolate(fitted.float(), size=new.shape[2:], mode="trilinear")
            if fitted.shape != new.shape:
                found.misshapen.append(f"{name} {tuple(old.shape)} instead of {tuple(new.shape)}")
                continue
            found.add(name, fitted.to(new.dtype), "adapted" if how else "copied", ", ".join(how))
    left = [name for name in trained if name not in fresh]
    _check_complete(found, [name for name in left if name not in source_axes.outputs])
    found.fates += [TensorFate(name, "left out", "no such head") for name in left]
    return Matched(found.tensors, tuple(found.fates))


def _needs_rows(axes: ChannelAxes, reset: Reset) -> bool:
    """Whether a head is taken over."""
    return not axes.outputs.keys() <= reset.tensors


def _output_rows(source: Outputs, target: Outputs, reset: Reset) -> list[int | None]:
    """The trained output of each new one, None for one that starts anew.

    Raises UsageError for other labels.
    """
    hint = "start the heads anew with --reset heads"
    if source.kind != target.kind:
        found = f"the trained network has {source.kind}, {', '.join(source.names)}"
        expected = f"{target.kind}, {', '.join(target.names)}"
        raise UsageError(found, expected=expected, hint=hint)
    matched = {name: same_name(name, source.names) for name in target.names}
    missing = [name for name, old in matched.items() if old is None and name not in reset.outputs]
    if missing:
        raise UsageError(
            f"the heads of the trained network have no output {', '.join(missing)}",
            expected=f"outputs that match {', '.join(source.names)}",
            hint=f"{hint}, or these outputs alone: {' '.join(f'--reset {name}' for name in missing)}",
        )
    return [
        None if old is None or name in reset.outputs else source.names.index(old)
        for name, old in matched.items()
    ]


def _channel_columns(source: Sequence[str], target: Sequence[str]) -> list[int | None]:
    """The trained channel of each new one; None for one that the trained network does not have."""
    matched = [same_name(name, source) for name in target]
    return [None if old is None else source.index(old) for old in matched]


def _select_channels(tensor: torch.Tensor, axis: int, columns: Sequence[int | None]) -> torch.Tensor:
    mean = tensor.mean(dim=axis)
    parts = [mean if column is None else tensor.select(axis, column) for column in columns]
    return torch.stack(parts, dim=axis)


def _select_rows(
    tensor: torch.Tensor, new: torch.Tensor, axis: int, rows: Sequence[int | None]
) -> torch.Tensor:
    parts = [
        new.select(axis, number) if row is None else tensor.select(axis, row).to(new.dtype)
        for number, row in enumerate(rows)
    ]
    return torch.stack(parts, dim=axis)


def _describe(
    what: str, source: Sequence[str], target: Sequence[str], places: Sequence[int | None], missing: str
) -> list[str]:
    """How names were matched; missing: where one comes from that the trained network does not have."""
    if list(places) == list(range(len(source))):
        return []
    named = [
        f"{name} {missing if place is None else f'from {source[place]}'}"
        for name, place in zip(target, places, strict=True)
    ]
    left = [name for number, name in enumerate(source) if number not in places]
    return [f"{what} {' and '.join(named)}", *([f"without {' and '.join(left)}"] if left else [])]


def _is_smaller_kernel(old: torch.Tensor, new: torch.Tensor) -> bool:
    if old.ndim != 5 or new.ndim != 5 or old.shape[:2] != new.shape[:2] or old.shape == new.shape:
        return False
    return all(small <= large for small, large in zip(old.shape[2:], new.shape[2:], strict=True))


def _size(tensor: torch.Tensor) -> str:
    return " x ".join(map(str, tensor.shape[2:]))


def _check_complete(found: _Matching, left: Sequence[str]) -> None:
    """Raise UsageError for tensors that fit nothing."""
    faults = {
        "not in the trained weights": found.missing,
        "of another shape": found.misshapen,
        "not in the new network": left,
    }
    listed = [
        f"{len(names)} {kind}: {', '.join(names[:LISTED])}{' ...' if len(names) > LISTED else ''}"
        for kind, names in faults.items()
        if names
    ]
    if listed:
        raise UsageError(
            f"the trained weights do not fit the planned network: {'; '.join(listed)}",
            expected="weights of a network with the same stages, features and blocks",
            hint="plan with that network, as by --set network.arguments or --plans",
        )
