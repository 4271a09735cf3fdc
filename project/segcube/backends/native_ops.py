"""Our own kernels as nodes of OpenVINO's graphs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import openvino as ov
from openvino._pyopenvino import AttributeVisitor

from segcube.backends.native import Affine, NativeKernels, Part, Taps

Size: TypeAlias = "tuple[int, ...]"


class Normed:
    """An image that was normalised where it lies: a node's word that it was follows it."""


Norms: TypeAlias = "tuple[Affine | Normed | None, ...]"
"""How each image among a node's inputs is read: by a map of its moments, which follow it; or as it is."""
WORD = (1,)
"""The size of the output that only tells its readers to wait."""


class Call(Protocol):
    """What a node computes."""

    @property
    def norms(self) -> Norms:
        """Of its images."""
        ...

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Of the outputs."""
        ...

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write the outputs."""
        ...


@dataclass(frozen=True)
class Convolving:
    """Images (1, C, X, Y, Z), which stand for their concatenation, to an image and its moments."""

    kernels: NativeKernels
    taps: Taps
    size: Size
    """(1, K, X, Y, Z)."""
    norms: Norms
    onto: np.ndarray | None = None
    """(1, K, X, Y, Z): where the image is added instead, and no moments are wanted."""

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The image's, and (K, 2) for means and variances."""
        return self.size, (self.size[1], 2)

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write both, or add the image to another."""
        image, moments = outputs
        parts = _parts(inputs, self.norms)
        if self.onto is None:
            self.kernels.convolve(parts, self.taps, image[0], moments)
        else:
            self.kernels.convolve(parts, self.taps, self.onto[0], adds=True)


@dataclass(frozen=True)
class ConvolvingTransposed:
    """An image (1, C, X, Y, Z) to a larger one."""

    kernels: NativeKernels
    taps: Taps
    size: Size
    """(1, K, X, Y, Z)."""
    norms: Norms

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The image's."""
        return (self.size,)

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write it."""
        (part,) = _parts(inputs, self.norms)
        self.kernels.convolve_transposed(part, self.taps, outputs[0][0])


@dataclass(frozen=True)
class Norming:
    """An image and perhaps what is added to it, to the image normalised."""

    kernels: NativeKernels
    slope: float
    """Of the rectifier behind the sum; 1 for none."""
    size: Size
    """(1, C, X, Y, Z), or WORD for the image itself to be changed."""
    norms: Norms

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The output's."""
        return (self.size,)

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write it."""
        part, *residual = _parts(inputs, self.norms)
        out = part.image if self.size == WORD else outputs[0][0]
        self.kernels.norm(part, residual[0] if residual else None, self.slope, out)


@dataclass(frozen=True)
class Pooling:
    """An image to the means of its blocks."""

    kernels: NativeKernels
    block: Size
    """(x, y, z)."""
    size: Size
    """(1, C, X, Y, Z)."""
    norms: Norms

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The image's."""
        return (self.size,)

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write it."""
        (part,) = _parts(inputs, self.norms)
        self.kernels.pool(part, self.block, outputs[0][0])


def _parts(inputs: Sequence[np.ndarray], norms: Norms) -> list[Part]:
    coming, parts = iter(inputs), list[Part]()
    for norm in norms:
        image, about = next(coming)[0], None if norm is None else next(coming)
        readings = norm.readings(about) if isinstance(norm, Affine) and about is not None else None
        parts.append(Part(image, readings))
    return parts


def form(call: Call) -> Hashable:
    """What another call has in common with one that may stand in its place."""
    norms = tuple(type(norm).__name__ for norm in call.norms)
    about: tuple[Hashable, ...] = ()
    if isinstance(call, Convolving | ConvolvingTransposed):
        about = call.taps.kernel.shape, call.taps.stride, call.taps.before
    if isinstance(call, Pooling):
        about = call.block
    return type(call).__name__, call.sizes, norms, about


class Native(ov.Op):
    """A node that OpenVINO asks us to compute; its class's name is its kind."""

    def __init__(self, inputs: Sequence[ov.Output], calls: Sequence[Call], number: int) -> None:
        """calls: of all such nodes of the graph; others of the same form may come to stand in the list."""
        super().__init__(self)
        self.calls, self.number = calls, number
        self.set_arguments(list(inputs))
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        """Tell the outputs' sizes."""
        sizes = self.calls[self.number].sizes
        self.set_output_size(len(sizes))
        for index, size in enumerate(sizes):
            self.set_output_type(index, ov.Type.f32, ov.PartialShape(list(size)))

    def clone_with_new_inputs(self, inputs: list[ov.Output]) -> ov.Op:
        """The same node on other inputs."""
        return type(self)(inputs, self.calls, self.number)

    def visit_attributes(self, arg0: AttributeVisitor) -> bool:
        """Tell OpenVINO, which makes one of nodes that look alike, that this one is like no other."""
        arg0.on_attributes({"call": f"{id(self.calls)} {self.number}"})
        return True

    def has_evaluate(self) -> bool:
        """Tell OpenVINO to call `evaluate`."""
        return True

    def evaluate(  # pyright: ignore[reportIncompatibleMethodOverride]: how OpenVINO calls what Python adds
        self, outputs: list[ov.Tensor], inputs: list[ov.Tensor]
    ) -> bool:
        """Write the outputs."""
        self.calls[self.number]([tensor.data for tensor in inputs], [tensor.data for tensor in outputs])
        return True


class Convolve(Native):
    """By `Convolving`."""


class ConvolveTransposed(Native):
    """By `ConvolvingTransposed`."""


class Norm(Native):
    """By `Norming`."""


class Pool(Native):
    """By `Pooling`."""
