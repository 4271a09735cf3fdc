"""Lower a graph to a native program, where native kernels can compute everything in it that takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import openvino as ov

from segcube.backends.native.kernels import NativeKernels
from segcube.backends.native.layers import (
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    Image,
    InstanceNorm,
    Layer,
    PointwiseMlp,
    Size,
    TransposedConvolution,
    UpsampleAdd,
)
from segcube.backends.native.program import Program, plan_program
from segcube.backends.openvino.mednext_patterns import MlpPattern, UpsamplePattern
from segcube.backends.openvino.nodes import (
    CHANNELS,
    CONVOLUTION,
    GROUPED,
    GROUPED_TRANSPOSED,
    TRANSPOSED,
    VOXELS,
    concatenates_channels,
    constant,
    conv_weights_of,
    convolves,
    is_block_mean,
    readers,
)
from segcube.backends.openvino.parts import OpenVINOPart, Part
from segcube.backends.openvino.patterns import (
    ConvolutionPattern,
    NormPattern,
    Pattern,
    Patterns,
    PoolPattern,
    find_patterns,
)


def lower(
    model: ov.Model, kernels: NativeKernels, compile_part: Callable[[ov.Model], ov.CompiledModel]
) -> Program | None:
    """Lower a graph of one window and one result to a native program; None where OpenVINO computes it all.

    That is so unless all its convolutions have a native kernel: some alone do not pay, because OpenVINO's
    need their channels interleaved, and reordering an image takes as long as a native kernel saves. The graph
    is of no use afterwards if there is a program.

    The kernels also compute concatenations that convolutions read, means of blocks, and instance norms behind
    convolutions with the addition and rectifier that follow. A norm that only native kernels read has no
    image: they compute it while they read. Another overwrites its convolution's image if nothing else reads
    that. The hidden channels of a MedNeXt block have no image either, nor has what is added to a skip. Nodes
    that no kernel computes become parts of the program that OpenVINO runs.
    """
    _drop_factors_of_one(model)
    patterns = find_patterns(model)
    if patterns is None:
        return None
    (window,), (result,) = model.get_parameters(), model.get_results()
    lowering = _Lowering(kernels, patterns)
    lowering.image(window.output(0))
    for node in _computed_nodes(model, patterns):
        lowering.append(node)
    logits = lowering.image(result.input_value(0)).buffer
    is_native = any(isinstance(step, Layer) for step in lowering.steps)
    if not is_native or any(value.get_element_type() != ov.Type.f32 for value in lowering.images):
        return None
    steps = [lowering.compiled(one, compile_part) if isinstance(one, Part) else one for one in lowering.steps]
    return plan_program(kernels, steps, lowering.sizes, logits)


def _drop_factors_of_one(model: ov.Model) -> None:
    """Drop products with 1, which the conversion of torch's additions leaves."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Multiply":
            for factor, image in (node.input_values(), reversed(node.input_values())):
                values = constant(factor)
                if values is not None and values.size == 1 and values.item() == 1:
                    node.output(0).replace(image)
                    break


def _computed_nodes(model: ov.Model, patterns: Patterns) -> list[ov.Node]:
    """What a run computes, in order: the last nodes of patterns, and nodes without a pattern."""
    nodes, varying, needed = model.get_ordered_ops(), set(model.get_parameters()), set(model.get_results())
    for node in nodes:
        if any(value.get_node() in varying for value in node.input_values()):
            varying.add(node)
    for node in reversed(nodes):
        if node in needed:
            inputs = patterns.by_last[node].inputs if node in patterns.by_last else node.input_values()
            needed.update(value.get_node() for value in inputs)
    computed = (needed & varying).difference(model.get_parameters(), model.get_results())
    return [node for node in nodes if node in computed]


@dataclass(frozen=True)
class _Lowering:
    """The steps so far, and the images that stand for the graph's values."""

    kernels: NativeKernels
    patterns: Patterns
    steps: list[Layer | Part] = field(default_factory=list["Layer | Part"])
    sizes: list[Size] = field(default_factory=list[Size])
    """Of the buffers."""
    images: dict[ov.Output, Image] = field(default_factory=dict[ov.Output, Image])

    def image(self, value: ov.Output) -> Image:
        """What stands for a value; a new buffer for the window, and for what a part computes."""
        if value not in self.images:
            self.images[value] = self._new_image(value.get_shape())
        return self.images[value]

    def append(self, node: ov.Node) -> None:
        """Append the step of a pattern, or of a node without one."""
        match self.patterns.by_last.get(node):
            case ConvolutionPattern() as convolution:
                self._convolve(convolution)
            case NormPattern() as norm:
                self._normalize(norm)
            case MlpPattern() as mlp:
                self._add(PointwiseMlp(self.kernels, *self._images(mlp), mlp.weights), node)
            case UpsamplePattern() as upsample:
                self._upsample(upsample)
            case PoolPattern() as pool:
                self._add(AveragePool(self.kernels, *self._images(pool), pool.block), node)
            case None:
                self._compute_in_part(node)

    def compiled(self, part: Part, compile_part: Callable[[ov.Model], ov.CompiledModel]) -> OpenVINOPart:
        """A part as a step."""
        outputs = [value for value in self.images if value.get_node() in part.nodes]
        reads, writes = (tuple(self.images[v].buffer for v in values) for values in (part.inputs, outputs))
        return OpenVINOPart(compile_part(part.cut(outputs)), reads, writes)

    def _convolve(self, convolution: ConvolutionPattern) -> None:
        kind, weights, last = convolution.kind, convolution.weights, convolution.last
        inputs, out = self._images(convolution)
        if last in self.patterns.normed:
            out = out._replace(moments=self._buffer((last.get_output_shape(0)[CHANNELS], 2)))
        if kind in (GROUPED, GROUPED_TRANSPOSED):
            layer = DepthwiseConvolution(self.kernels, inputs, out, weights, kind == GROUPED_TRANSPOSED)
        elif kind == TRANSPOSED and weights.kernel[0, 0].size > 1:
            layer = TransposedConvolution(self.kernels, inputs, out, weights)
        else:
            weights = weights if kind == CONVOLUTION else weights.as_pointwise()
            layer = Convolution(self.kernels, inputs, out, weights)
        self._add(layer, last)

    def _normalize(self, norm: NormPattern) -> None:
        """Leave a norm to native readers, or normalise its image, in place where nothing else reads that."""
        image, *residual = map(self.image, norm.inputs)
        normed = image._replace(affine=norm.affine)
        if not residual and self._has_native_readers(norm.last.output(0)):
            self.images[norm.last.output(0)] = normed
            return
        in_place = len(readers(norm.inputs[0].get_node())) == 1
        out = Image(image.buffer) if in_place else self._new_image(norm.last.get_output_shape(0))
        self._add(InstanceNorm(self.kernels, (normed, *residual), out, norm.slope), norm.last)

    def _upsample(self, upsample: UpsamplePattern) -> None:
        """Add up the images around a padding; the projection becomes a convolution without gaps."""
        (image, *others), out = self._images(upsample)
        bias = stride = None
        if (projection := upsample.projection) is not None:
            node, bias = projection.convolution, projection.bias
            weights, stride = conv_weights_of(node, None), tuple(node.get_attributes()["strides"])
            dense = self._new_image((1, weights.kernel.shape[1], *node.get_input_shape(0)[VOXELS]))
            self.steps.append(Convolution(self.kernels, (others[0],), dense, weights.as_pointwise()))
            others[0] = dense
        inputs, has_skip = (image, *others), upsample.skip_sum is not None
        layer = UpsampleAdd(self.kernels, inputs, out, bias, upsample.padding, stride, has_skip)
        self._add(layer, upsample.last)

    def _compute_in_part(self, node: ov.Node) -> None:
        """Add a node to the last step if that is a part, or begin one."""
        part = self.steps[-1] if self.steps else None
        if not isinstance(part, Part):
            part = Part()
            self.steps.append(part)
        part.nodes[node] = None
        earlier = [one for one in self.steps[:-1] if isinstance(one, Part)]
        for value in node.input_values():
            if value in self.images or any(value.get_node() in one.nodes for one in earlier):
                self.image(value)
                part.inputs[value] = None

    def _images(self, pattern: Pattern) -> tuple[tuple[Image, ...], Image]:
        """A pattern's input images, and a new one for its output."""
        return tuple(map(self.image, pattern.inputs)), self._new_image(pattern.last.get_output_shape(0))

    def _new_image(self, size: Iterable[int]) -> Image:
        return Image(self._buffer(size))

    def _buffer(self, size: Iterable[int]) -> int:
        self.sizes.append(tuple(size))
        return len(self.sizes) - 1

    def _add(self, layer: Layer, last: ov.Node) -> None:
        self.steps.append(layer)
        self.images[last.output(0)] = layer.out

    def _has_native_readers(self, image: ov.Output) -> bool:
        others = {port.get_node() for port in image.get_target_inputs() if not convolves(port)}
        return all(
            is_block_mean(node) or node in self.patterns.sums or self._is_read_in_parts(node)
            for node in others
        )

    def _is_read_in_parts(self, node: ov.Node) -> bool:
        """Whether a node concatenates channels for convolutions alone, which read its parts."""
        return concatenates_channels(node) and all(
            one.get_type_name() == CONVOLUTION and one not in self.patterns.inner for one in readers(node)
        )
