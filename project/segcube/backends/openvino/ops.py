"""Native kernels as nodes of OpenVINO's graphs, by the one private class that this needs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import openvino as ov
from openvino._pyopenvino import AttributeVisitor

from segcube.backends.native.layers import Layer


class Native(ov.Op):
    """A node that calls back into Python; OpenVINO takes the class's name as its type."""

    def __init__(self, inputs: Sequence[ov.Output], calls: Sequence[Layer], number: int) -> None:
        """calls: of all native nodes of the graph; layers of the same form may replace them later."""
        super().__init__(self)
        self.calls, self.number = calls, number
        self.set_arguments(list(inputs))
        self.constructor_validate_and_infer_types()

    def validate_and_infer_types(self) -> None:
        """Set the outputs' types and sizes."""
        sizes = self.calls[self.number].sizes
        self.set_output_size(len(sizes))
        for index, size in enumerate(sizes):
            self.set_output_type(index, ov.Type.f32, ov.PartialShape(list(size)))

    def clone_with_new_inputs(self, inputs: list[ov.Output]) -> ov.Op:
        """The same node with other inputs."""
        return type(self)(inputs, self.calls, self.number)

    def visit_attributes(self, arg0: AttributeVisitor) -> bool:
        """Make each node unique: OpenVINO merges nodes whose inputs and attributes agree."""
        arg0.on_attributes({"call": f"{id(self.calls)} {self.number}"})
        return True

    def has_evaluate(self) -> bool:
        """True: `evaluate` computes the node."""
        return True

    def evaluate(  # pyright: ignore[reportIncompatibleMethodOverride]: how OpenVINO calls what Python adds
        self, outputs: list[ov.Tensor], inputs: list[ov.Tensor]
    ) -> bool:
        """Write the outputs."""
        self.calls[self.number]([tensor.data for tensor in inputs], [tensor.data for tensor in outputs])
        return True


@cache
def node_type(layer: type[Layer]) -> type[Native]:
    """The class of a layer's nodes: NativeConvolution for a Convolution."""
    return type(f"Native{layer.__name__}", (Native,), {})
