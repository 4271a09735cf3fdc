"""Put our own kernels into a graph of OpenVINO's, where they can run all that takes long in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import openvino as ov

from segcube.backends.native.kernels import Affine, NativeKernels
from segcube.backends.openvino.chains import (
    CONVOLUTION,
    CONVOLUTIONS,
    GROUPED,
    GROUPED_TRANSPOSED,
    IMAGE,
    TRANSPOSED,
    Chain,
    concatenates_channels,
    constant,
    convolves,
    find_chains,
    is_ours,
    parts,
    per_channel,
    pools,
    taps_of,
)
from segcube.backends.openvino.layers import (
    WORD,
    Call,
    Convolving,
    ConvolvingDepthwise,
    ConvolvingTransposed,
    Normed,
    Norming,
    Norms,
    Pooling,
)
from segcube.backends.openvino.native_blocks import (
    Lifted,
    Lifting,
    Projection,
    Widened,
    Widening,
    find_lifted,
    find_widened,
)
from segcube.backends.openvino.ops import (
    Convolve,
    ConvolveDepthwise,
    ConvolveTransposed,
    Lift,
    Native,
    Norm,
    Pool,
    Widen,
)


@dataclass(frozen=True)
class Replacing:
    """A graph whose nodes are replaced, each after those that it reads."""

    kernels: NativeKernels
    sums: Sequence[ov.Node]
    """Those that norms take along."""
    within: Sequence[ov.Node]
    """Convolutions that others stand for as well."""
    calls: list[Call] = field(default_factory=list[Call])
    """Of the nodes of ours, in their order."""
    standing: dict[ov.Output, tuple[Sequence[ov.Output], Affine | Normed]] = field(
        default_factory=dict[ov.Output, tuple[Sequence[ov.Output], "Affine | Normed"]]
    )
    """Norms without an image of their own: what their readers take instead."""

    def convolution(self, node: ov.Node) -> None:
        """Put ours in its place."""
        bias, last = per_channel(node, "Add", None)
        taps, size = taps_of(node, bias), tuple(node.get_output_shape(0))
        kind, image = node.get_type_name(), node.input_value(IMAGE)
        if kind in (GROUPED, GROUPED_TRANSPOSED):
            inputs, norms = self._read([image])
            call = ConvolvingDepthwise(self.kernels, size, norms, taps, kind == GROUPED_TRANSPOSED)
            ours = self._node(ConvolveDepthwise, inputs, call)
        elif kind == TRANSPOSED and taps.kernel[0, 0].size > 1:
            inputs, norms = self._read([image])
            call = ConvolvingTransposed(self.kernels, size, norms, taps)
            ours = self._node(ConvolveTransposed, inputs, call)
        else:
            inputs, norms = self._read(parts(image) if kind == CONVOLUTION else [image])
            taps = taps if kind == CONVOLUTION else taps.of_one_tap()
            ours = self._node(Convolve, inputs, Convolving(self.kernels, size, norms, taps))
        last.output(0).replace(ours.output(0))

    def widened(self, pair: Widened) -> None:
        """Put ours in its place."""
        inputs, norms = self._read([pair.image])
        residual = [] if pair.residual is None else [pair.residual]
        size = tuple(pair.last.get_output_shape(0))
        call = Widening(self.kernels, size, (*norms, *(None for _ in residual)), pair.taps)
        pair.last.output(0).replace(self._node(Widen, [*inputs, *residual], call).output(0))

    def lifted(self, lifted: Lifted) -> None:
        """Put ours in its place, and a convolution of few voxels in the projection's."""
        images, skip, projection, stride = [lifted.image], lifted.skip, lifted.projection, None
        if projection is not None:
            images.append(self._projected(projection.convolution))
            stride = tuple(projection.convolution.get_attributes()["strides"])
        images += [] if skip is None else [skip]
        bias = None if projection is None else projection.bias
        size, norms = tuple(lifted.last.get_output_shape(0)), tuple(None for _ in images)
        call = Lifting(self.kernels, size, norms, bias, lifted.before, stride, skip is not None)
        lifted.last.output(0).replace(self._node(Lift, images, call).output(0))

    def _projected(self, node: ov.Node) -> ov.Output:
        """What a transposed convolution of one tap makes, without the zeros between."""
        inputs, norms = self._read([node.input_value(IMAGE)])
        taps = taps_of(node, None).of_one_tap()
        size = (1, len(taps.kernel), *list(node.get_input_shape(0))[2:])
        return self._node(Convolve, inputs, Convolving(self.kernels, size, norms, taps)).output(0)

    def chain(self, chain: Chain) -> None:
        """Put ours in its place, or leave it to those that read it; the convolution before it is ours."""
        image = chain.norm.input_value(0).get_node()
        last, residual = chain.last.output(0), chain.residual
        ours = self._is_read_by_ours(last)
        if residual is None and ours:
            self.standing[last] = image.outputs(), chain.affine
            return
        inputs, norms = self._read([] if residual is None else [residual])
        in_place = ours and len(image.output(0).get_target_inputs()) == 1
        size = WORD if in_place else tuple(last.get_shape())
        call = Norming(self.kernels, size, (chain.affine, *norms), chain.slope)
        node = self._node(Norm, [*image.outputs(), *inputs], call)
        if in_place:
            self.standing[last] = [image.output(0), node.output(0)], Normed()
        else:
            last.replace(node.output(0))

    def pool(self, node: ov.Node) -> None:
        """Put ours in its place."""
        inputs, norms = self._read([node.input_value(0)])
        block, size = tuple(node.get_attributes()["kernel"]), tuple(node.get_output_shape(0))
        node.output(0).replace(self._node(Pool, inputs, Pooling(self.kernels, size, norms, block)).output(0))

    def _node(self, kind: type[Native], inputs: Sequence[ov.Output], call: Call) -> Native:
        self.calls.append(call)
        return kind(inputs, self.calls, len(self.calls) - 1)

    def _read(self, images: Sequence[ov.Output]) -> tuple[list[ov.Output], Norms]:
        """The inputs that stand for images, and how they are read."""
        inputs: list[ov.Output] = []
        norms: list[Affine | Normed | None] = []
        for image in images:
            outputs, norm = self.standing.get(image, ([image], None))
            inputs += outputs
            norms.append(norm)
        return inputs, tuple(norms)

    def _is_read_by_ours(self, image: ov.Output) -> bool:
        return all(
            convolves(port)
            or pools(port.get_node())
            or port.get_node() in self.sums
            or (concatenates_channels(port.get_node()) and self._is_read_in_parts(port.get_node()))
            for port in image.get_target_inputs()
        )

    def _is_read_in_parts(self, node: ov.Node) -> bool:
        readers = [port.get_node() for port in node.output(0).get_target_inputs()]
        return all(reader.get_type_name() == CONVOLUTION and reader not in self.within for reader in readers)


GELUS = ("Gelu", "Erf")


def run_natively(model: ov.Model, kernels: NativeKernels | None) -> list[Call] | None:
    """Put kernels of ours in the places of a graph's convolutions, if all of them have one; their calls.

    The nodes compute what stands in the list when they are run. None where the graph stays as it is.

    Not for some of them: OpenVINO's own want their channels side by side, and turning an image round takes
    as long as ours save. Concatenations that convolutions read go, and so do means of blocks, and instance
    norms behind a convolution with what is added and the rectifier that follows: a norm that only kernels of
    ours read has no image of its own, they compute it as they read; with what is added, it takes the place of
    the convolution's. Of a MedNeXt's block what is widened has none either, nor what is lifted onto a skip.
    """
    if kernels is None:
        return None
    _multiply_by_one_no_more(model)
    found = _find(model)
    if found is None:
        return None
    replacing = Replacing(kernels, found.sums, found.within)
    steps = {chain.last: partial(replacing.chain, chain) for chain in found.chains}
    steps |= {pair.last: partial(replacing.widened, pair) for pair in found.widened}
    steps |= {lifted.last: partial(replacing.lifted, lifted) for lifted in found.lifted}
    for node in model.get_ordered_ops():
        if node.get_type_name() in CONVOLUTIONS and node not in found.within:
            replacing.convolution(node)
        elif node in steps:
            steps[node]()
        elif pools(node):
            replacing.pool(node)
    return replacing.calls


@dataclass(frozen=True)
class Found:
    """What our kernels take along in a graph."""

    chains: Sequence[Chain]
    widened: Sequence[Widened]
    lifted: Sequence[Lifted]

    @property
    def sums(self) -> list[ov.Node]:
        """Those that norms take."""
        return [chain.sum for chain in self.chains if chain.sum is not None]

    @property
    def projections(self) -> list[Projection]:
        """Those that are lifted."""
        return [lifted.projection for lifted in self.lifted if lifted.projection is not None]

    @property
    def within(self) -> list[ov.Node]:
        """Convolutions that others stand for as well."""
        projecting = [projection.convolution for projection in self.projections]
        return [*projecting, *(node for pair in self.widened for node in pair.convolutions)]


def _find(model: ov.Model) -> Found | None:
    """None where a convolution has no kernel of ours, or a GELU between depthwise ones."""
    nodes = model.get_ordered_ops()
    convolutions = [node for node in nodes if node.get_type_name() in CONVOLUTIONS]
    found = Found((), (), find_lifted(model))
    others = [node for node in convolutions if node not in found.within]
    if not all(map(is_ours, others)):
        return None
    measured = [node for node in others if node.get_type_name() != TRANSPOSED]
    ends = [per_channel(node, "Add", None)[1] for node in measured]
    chains = [chain for chain in find_chains(model) if chain.norm.input_value(0).get_node() in ends]
    found = replace(found, chains=chains)
    taken = [*found.sums, *(projection.sum for projection in found.projections)]
    found = replace(found, widened=find_widened(model, taken))
    kinds = Counter(node.get_type_name() for node in nodes)
    if kinds[GROUPED] and len(found.widened) != sum(kinds[name] for name in GELUS):
        return None
    return found


def _multiply_by_one_no_more(model: ov.Model) -> None:
    """What torch says for a sum."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Multiply":
            for factor, image in (node.input_values(), reversed(node.input_values())):
                values = constant(factor)
                if values is not None and values.size == 1 and values.item() == 1:
                    node.output(0).replace(image)
                    break
