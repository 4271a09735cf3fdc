"""Our own kernels as nodes of OpenVINO's graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from openvino._pyopenvino import AttributeVisitor

from segcube.backends.native import Affine, NativeKernels, Taps


@dataclass(frozen=True)
class Called:
    """A convolution of a graph: what runs it, how, and the size (1, K, X, Y, Z) of what it gives."""

    kernels: NativeKernels
    taps: Taps
    size: tuple[int, ...]


class _Native(ov.Op):
    """A node that OpenVINO asks us to compute."""

    def __init__(self, inputs: Sequence[ov.Output], called: object) -> None:
        super().__init__(self)
        self.called = called
        self.set_arguments(list(inputs))
        self.constructor_validate_and_infer_types()

    def clone_with_new_inputs(self, inputs: list[ov.Output]) -> ov.Op:
        """The same node on other inputs."""
        return type(self)(inputs, self.called)

    def visit_attributes(self, arg0: AttributeVisitor) -> bool:
        """Tell OpenVINO, which makes one of nodes that look alike, that this one is like no other."""
        arg0.on_attributes({"called": str(id(self.called))})
        return True

    def has_evaluate(self) -> bool:
        """Tell OpenVINO to call `evaluate`."""
        return True

    def evaluate(  # pyright: ignore[reportIncompatibleMethodOverride]: how OpenVINO calls what Python adds
        self, outputs: list[ov.Tensor], inputs: list[ov.Tensor]
    ) -> bool:
        """Write the outputs."""
        self.compute([tensor.data for tensor in inputs], [tensor.data for tensor in outputs])
        return True

    def compute(self, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> None:
        """Write the outputs' arrays."""
        raise NotImplementedError


class Convolve(_Native):
    """Images (1, C, X, Y, Z), which stand for their concatenation, to an image and its moments."""

    called: Called

    def validate_and_infer_types(self) -> None:
        """Give the image, and (K, 2) for means and variances."""
        self.set_output_size(2)
        self.set_output_type(0, ov.Type.f32, ov.PartialShape(list(self.called.size)))
        self.set_output_type(1, ov.Type.f32, ov.PartialShape([self.called.size[1], 2]))

    def compute(self, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> None:
        """Write both."""
        image, moments = outputs
        self.called.kernels.convolve([part[0] for part in inputs], self.called.taps, image[0], moments)


class ConvolveTransposed(_Native):
    """An image (1, C, X, Y, Z) to a larger one."""

    called: Called

    def validate_and_infer_types(self) -> None:
        """Give the image."""
        self.set_output_type(0, ov.Type.f32, ov.PartialShape(list(self.called.size)))

    def compute(self, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> None:
        """Write it."""
        self.called.kernels.convolve_transposed(inputs[0][0], self.called.taps, outputs[0][0])


class Norm(_Native):
    """An image, its moments and perhaps what is added to it, to the image normalised."""

    called: tuple[NativeKernels, Affine]

    def validate_and_infer_types(self) -> None:
        """Give an image of the same size."""
        self.set_output_type(0, ov.Type.f32, self.get_input_partial_shape(0))

    def compute(self, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> None:
        """Write it."""
        kernels, affine = self.called
        image, moments, *residual = inputs
        kernels.norm(image[0], moments, affine, residual[0][0] if residual else None, outputs[0][0])
