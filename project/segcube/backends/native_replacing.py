"""Our own kernels in the places of a graph's nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import openvino as ov

from segcube.backends.native import Affine, NativeKernels
from segcube.backends.native_blocks import Lifted, Lifting, Widened, Widening
from segcube.backends.native_chains import Chain, per_channel
from segcube.backends.native_kinds import (
    CONVOLUTION,
    GROUPED,
    GROUPED_TRANSPOSED,
    IMAGE,
    TRANSPOSED,
    concatenates_channels,
    convolves,
    parts,
    pools,
    taps_of,
)
from segcube.backends.native_layers import (
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
from segcube.backends.native_ops import (
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
