"""Layers by our own kernels, as a graph calls them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from segcube.backends.native.kernels import Affine, NativeKernels, Part, Taps
from segcube.backends.protocol import AccumulatorView

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

    @property
    def about(self) -> tuple[Hashable, ...]:
        """What else another must have in common with it to stand in its place."""
        ...

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write the outputs."""
        ...


@dataclass(frozen=True)
class Layer:
    """Images to another, by a kernel of ours."""

    kernels: NativeKernels
    size: Size
    """(1, K, X, Y, Z): of what comes out."""
    norms: Norms

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Of the outputs."""
        return (self.size,)

    @property
    def about(self) -> tuple[Hashable, ...]:
        """What else another layer must have in common with it to stand in its place."""
        return ()


@dataclass(frozen=True)
class Tapped(Layer):
    """A convolution of any kind."""

    taps: Taps

    @property
    def about(self) -> tuple[Hashable, ...]:
        """Where the taps lie."""
        return self.taps.form


class Measured(Tapped):
    """One that tells its image's moments."""

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The image's, and (K, 2) for means and variances."""
        return self.size, (self.size[1], 2)


@dataclass(frozen=True)
class Convolving(Measured):
    """Images (1, C, X, Y, Z), which stand for their concatenation, to an image and its moments."""

    onto: AccumulatorView | None = None
    """Where the image is added instead, and no moments are wanted."""

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write both, or add the image to another."""
        image, moments = outputs
        parts = parts_of(inputs, self.norms)
        if self.onto is None:
            self.kernels.convolve(parts, self.taps, image[0], moments)
        else:
            self.kernels.convolve(parts, self.taps, self.onto)


@dataclass(frozen=True)
class ConvolvingTransposed(Tapped):
    """An image (1, C, X, Y, Z) to a larger one."""

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write it."""
        (part,) = parts_of(inputs, self.norms)
        self.kernels.convolve_transposed(part, self.taps, outputs[0][0])


@dataclass(frozen=True)
class ConvolvingDepthwise(Measured):
    """An image (1, C, X, Y, Z) to another, a kernel for each channel, and its moments."""

    transposed: bool

    @property
    def about(self) -> tuple[Hashable, ...]:
        """Where the taps lie."""
        return self.transposed, *self.taps.form

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write both."""
        image, moments = outputs
        (part,) = parts_of(inputs, self.norms)
        kernel = self.kernels.depthwise_transposed if self.transposed else self.kernels.depthwise
        kernel(part, self.taps, image[0], moments)


@dataclass(frozen=True)
class Norming(Layer):
    """An image and perhaps what is added, to the image normalised: in its own place for size WORD."""

    slope: float
    """Of the rectifier behind the sum; 1 for none."""

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write it."""
        part, *residual = parts_of(inputs, self.norms)
        out = part.image if self.size == WORD else outputs[0][0]
        self.kernels.norm(part, residual[0] if residual else None, self.slope, out)


@dataclass(frozen=True)
class Pooling(Layer):
    """An image to the means of its blocks."""

    block: Size
    """(x, y, z)."""

    @property
    def about(self) -> tuple[Hashable, ...]:
        """The block."""
        return self.block

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write it."""
        (part,) = parts_of(inputs, self.norms)
        self.kernels.pool(part, self.block, outputs[0][0])


def parts_of(inputs: Sequence[np.ndarray], norms: Norms) -> list[Part]:
    """A node's images as a kernel reads them."""
    coming, parts = iter(inputs), list[Part]()
    for norm in norms:
        image, about = next(coming)[0], None if norm is None else next(coming)
        readings = norm.readings(about) if isinstance(norm, Affine) and about is not None else None
        parts.append(Part(image, readings))
    return parts


def form(call: Call) -> Hashable:
    """What another call has in common with one that may stand in its place."""
    norms = tuple(type(norm).__name__ for norm in call.norms)
    return type(call).__name__, call.sizes, norms, call.about
