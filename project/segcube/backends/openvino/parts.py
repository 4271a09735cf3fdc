"""Parts of a native program that OpenVINO computes: nodes without a native kernel between those with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import openvino as ov
from openvino import opset13

from segcube.backends.native.layers import Buffers


@dataclass(frozen=True)
class Part:
    """Adjacent nodes of a graph, in order."""

    nodes: dict[ov.Node, None] = field(default_factory=dict[ov.Node, None])
    inputs: dict[ov.Output, None] = field(default_factory=dict[ov.Output, None])
    """The values that they read from other steps of the program."""

    def cut(self, outputs: Sequence[ov.Output]) -> ov.Model:
        """The nodes as a model of its own; they are taken out of their graph."""
        parameters = []
        for value in self.inputs:
            parameter = opset13.parameter(list(value.get_shape()), value.get_element_type())
            parameters.append(parameter)
            for port in list(value.get_target_inputs()):
                if port.get_node() in self.nodes:
                    port.replace_source_output(parameter.output(0))
        # The stubs do not relate the two classes of this name
        return ov.Model(list(outputs), parameters, "part")  # pyright: ignore[reportGeneralTypeIssues]


@dataclass(frozen=True)
class OpenVINOPart:
    """A compiled part as a step of a program."""

    compiled: ov.CompiledModel
    reads: tuple[int, ...]
    writes: tuple[int, ...]

    def run(self, buffers: Buffers) -> None:
        """Write the buffers. Raises RuntimeError."""
        request = self.compiled.create_infer_request()
        for port, buffer in enumerate(self.reads):
            request.set_input_tensor(port, ov.Tensor(buffers[buffer], shared_memory=True))
        for port, buffer in enumerate(self.writes):
            request.set_output_tensor(port, ov.Tensor(buffers[buffer], shared_memory=True))
        request.start_async()
        request.wait()
