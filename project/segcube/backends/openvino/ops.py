"""Our own kernels as nodes of OpenVINO's graphs."""

from __future__ import annotations

from collections.abc import Sequence

import openvino as ov
from openvino._pyopenvino import AttributeVisitor

from segcube.backends.openvino.layers import Call


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


class ConvolveDepthwise(Native):
    """By `ConvolvingDepthwise`."""


class Widen(Native):
    """By `Widening`."""


class Lift(Native):
    """By `Lifting`."""
