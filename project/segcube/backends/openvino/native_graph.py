"""Put the native kernels into a graph, where they can compute everything in it that takes long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import openvino as ov

from segcube.backends.native.kernels import Affine, NativeKernels
from segcube.backends.native.layers import (
    TOKEN,
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    InstanceNorm,
    Layer,
    NormedInPlace,
    Norms,
    PointwiseMlp,
    TransposedConvolution,
    UpsampleAdd,
)
from segcube.backends.openvino.nodes import (
    CONVOLUTION,
    CONVOLUTIONS,
    GROUPED,
    GROUPED_TRANSPOSED,
    IMAGE,
    TRANSPOSED,
    concatenated,
    concatenates_channels,
    constant,
    conv_weights_of,
    convolves,
    has_native_kernel,
    is_block_mean,
    per_channel,
    readers,
)
from segcube.backends.openvino.ops import Native, node_type
from segcube.backends.openvino.patterns import (
    MlpPattern,
    NormPattern,
    Projection,
    UpsamplePattern,
    find_mlps,
    find_norms,
    find_upsamples,
)

GELUS = ("Gelu", "Erf")


def run_natively(model: ov.Model, kernels: NativeKernels) -> list[Layer]:
    """Put native kernels in the place of a graph's convolutions, if all have one; returns their calls.

    The nodes compute what the list holds when the graph runs. It is empty where the graph stays as it is:
    native kernels for some convolutions do not pay, because OpenVINO's need their channels interleaved, and
    reordering an image takes as long as a native kernel saves.

    The kernels also replace concatenations that convolutions read, means of blocks, and instance norms behind
    convolutions with the addition and rectifier that follow. A norm that only native kernels read has no
    image: they compute it while they read. A norm with a residual overwrites its convolution's image. The
    hidden channels of a MedNeXt block have no image either, nor has what is added to a skip.
    """
    _drop_factors_of_one(model)
    patterns = _find_patterns(model)
    if patterns is None:
        return []
    rewriter = Rewriter(kernels, patterns.sums, patterns.inner)
    steps = {norm.last: partial(rewriter.replace_norm, norm) for norm in patterns.norms}
    steps |= {mlp.last: partial(rewriter.replace_mlp, mlp) for mlp in patterns.mlps}
    steps |= {one.last: partial(rewriter.replace_upsample, one) for one in patterns.upsamples}
    for node in model.get_ordered_ops():
        if node.get_type_name() in CONVOLUTIONS and node not in patterns.inner:
            rewriter.replace_convolution(node)
        elif node in steps:
            steps[node]()
        elif is_block_mean(node):
            rewriter.replace_pool(node)
    return rewriter.calls


@dataclass(frozen=True)
class Patterns:
    """The patterns of a graph that native kernels compute."""

    norms: Sequence[NormPattern]
    mlps: Sequence[MlpPattern]
    upsamples: Sequence[UpsamplePattern]

    @property
    def sums(self) -> list[ov.Node]:
        """Additions that belong to norms."""
        return [norm.sum for norm in self.norms if norm.sum is not None]

    @property
    def projections(self) -> list[Projection]:
        """Those of upsampled additions."""
        return [one.projection for one in self.upsamples if one.projection is not None]

    @property
    def inner(self) -> list[ov.Node]:
        """Convolutions that belong to larger patterns."""
        projecting = [projection.convolution for projection in self.projections]
        return [*projecting, *(node for mlp in self.mlps for node in mlp.convolutions)]


def _find_patterns(model: ov.Model) -> Patterns | None:
    """None where a convolution has no native kernel, or a depthwise graph has another GELU."""
    nodes = model.get_ordered_ops()
    convolutions = [node for node in nodes if node.get_type_name() in CONVOLUTIONS]
    patterns = Patterns((), (), find_upsamples(model))
    others = [node for node in convolutions if node not in patterns.inner]
    if not all(map(has_native_kernel, others)):
        return None
    with_moments = [node for node in others if node.get_type_name() != TRANSPOSED]
    ends = [per_channel(node, "Add", None)[1] for node in with_moments]
    norms = [norm for norm in find_norms(model) if norm.norm.input_value(0).get_node() in ends]
    patterns = replace(patterns, norms=norms)
    taken = [*patterns.sums, *(projection.sum for projection in patterns.projections)]
    patterns = replace(patterns, mlps=find_mlps(model, taken))
    kinds = Counter(node.get_type_name() for node in nodes)
    other_gelus = sum(kinds[name] for name in GELUS) - len(patterns.mlps)
    return None if kinds[GROUPED] and other_gelus else patterns


@dataclass(frozen=True)
class Rewriter:
    """A graph whose nodes are replaced, each after those that it reads."""

    kernels: NativeKernels
    sums: Sequence[ov.Node]
    """Additions that belong to norms."""
    inner: Sequence[ov.Node]
    """Convolutions that belong to larger patterns."""
    calls: list[Layer] = field(default_factory=list[Layer])
    """Of the native nodes, in order."""
    deferred: dict[ov.Output, tuple[Sequence[ov.Output], Affine | NormedInPlace]] = field(
        default_factory=dict[ov.Output, tuple[Sequence[ov.Output], "Affine | NormedInPlace"]]
    )
    """Norms without an image: what their readers take instead, and how they read it."""

    def replace_convolution(self, node: ov.Node) -> None:
        """Replace a convolution and its bias."""
        bias, last = per_channel(node, "Add", None)
        weights, size = conv_weights_of(node, bias), tuple(node.get_output_shape(0))
        kind, image = node.get_type_name(), node.input_value(IMAGE)
        inputs, norms = self._inputs(concatenated(image) if kind == CONVOLUTION else [image])
        if kind in (GROUPED, GROUPED_TRANSPOSED):
            layer = DepthwiseConvolution(self.kernels, size, norms, weights, kind == GROUPED_TRANSPOSED)
        elif kind == TRANSPOSED and weights.kernel[0, 0].size > 1:
            layer = TransposedConvolution(self.kernels, size, norms, weights)
        else:
            weights = weights if kind == CONVOLUTION else weights.as_pointwise()
            layer = Convolution(self.kernels, size, norms, weights)
        last.output(0).replace(self._node(inputs, layer).output(0))

    def replace_norm(self, norm: NormPattern) -> None:
        """Replace a norm whose convolution is native by now, or leave it to native readers."""
        image = norm.norm.input_value(0).get_node()
        last, residual = norm.last.output(0), norm.residual
        native = self._has_native_readers(last)
        if residual is None and native:
            self.deferred[last] = image.outputs(), norm.affine
            return
        inputs, norms = self._inputs([] if residual is None else [residual])
        in_place = native and len(readers(image)) == 1
        size = TOKEN if in_place else tuple(last.get_shape())
        layer = InstanceNorm(self.kernels, size, (norm.affine, *norms), norm.slope)
        node = self._node([*image.outputs(), *inputs], layer)
        if in_place:
            self.deferred[last] = [image.output(0), node.output(0)], NormedInPlace()
        else:
            last.replace(node.output(0))

    def replace_pool(self, node: ov.Node) -> None:
        """Replace means of blocks."""
        inputs, norms = self._inputs([node.input_value(0)])
        block, size = tuple(node.get_attributes()["kernel"]), tuple(node.get_output_shape(0))
        layer = AveragePool(self.kernels, size, norms, block)
        node.output(0).replace(self._node(inputs, layer).output(0))

    def replace_mlp(self, mlp: MlpPattern) -> None:
        """Replace two pointwise convolutions and what belongs to them."""
        inputs, norms = self._inputs([mlp.image])
        residual = [] if mlp.residual is None else [mlp.residual]
        size = tuple(mlp.last.get_output_shape(0))
        layer = PointwiseMlp(self.kernels, size, (*norms, *(None for _ in residual)), mlp.weights)
        mlp.last.output(0).replace(self._node([*inputs, *residual], layer).output(0))

    def replace_upsample(self, upsample: UpsamplePattern) -> None:
        """Replace the additions around a padding, and the projection by a convolution without gaps."""
        images, skip, projection, stride = [upsample.image], upsample.skip, upsample.projection, None
        if projection is not None:
            images.append(self._projected(projection.convolution))
            stride = tuple(projection.convolution.get_attributes()["strides"])
        images += [] if skip is None else [skip]
        bias = None if projection is None else projection.bias
        size, norms = tuple(upsample.last.get_output_shape(0)), tuple(None for _ in images)
        layer = UpsampleAdd(self.kernels, size, norms, bias, upsample.padding, stride, skip is not None)
        upsample.last.output(0).replace(self._node(images, layer).output(0))

    def _projected(self, node: ov.Node) -> ov.Output:
        """The output of a projection without the zeros between its voxels."""
        inputs, norms = self._inputs([node.input_value(IMAGE)])
        weights = conv_weights_of(node, None).as_pointwise()
        size = (1, len(weights.kernel), *list(node.get_input_shape(0))[2:])
        layer = Convolution(self.kernels, size, norms, weights)
        return self._node(inputs, layer).output(0)

    def _node(self, inputs: Sequence[ov.Output], layer: Layer) -> Native:
        self.calls.append(layer)
        return node_type(type(layer))(inputs, self.calls, len(self.calls) - 1)

    def _inputs(self, images: Sequence[ov.Output]) -> tuple[list[ov.Output], Norms]:
        """The inputs that stand for images, and how they are read."""
        inputs: list[ov.Output] = []
        norms: list[Affine | NormedInPlace | None] = []
        for image in images:
            outputs, norm = self.deferred.get(image, ([image], None))
            inputs += outputs
            norms.append(norm)
        return inputs, tuple(norms)

    def _has_native_readers(self, image: ov.Output) -> bool:
        return all(
            convolves(port)
            or is_block_mean(port.get_node())
            or port.get_node() in self.sums
            or (concatenates_channels(port.get_node()) and self._is_read_in_parts(port.get_node()))
            for port in image.get_target_inputs()
        )

    def _is_read_in_parts(self, node: ov.Node) -> bool:
        return all(one.get_type_name() == CONVOLUTION and one not in self.inner for one in readers(node))


def _drop_factors_of_one(model: ov.Model) -> None:
    """Drop products with 1, which the conversion of torch's additions leaves."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Multiply":
            for factor, image in (node.input_values(), reversed(node.input_values())):
                values = constant(factor)
                if values is not None and values.size == 1 and values.item() == 1:
                    node.output(0).replace(image)
                    break
