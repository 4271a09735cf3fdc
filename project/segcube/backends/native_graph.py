"""Put our own kernels into a graph of OpenVINO's, where they can run all that takes long in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import openvino as ov

from segcube.backends.native import NativeKernels
from segcube.backends.native_blocks import Lifted, Projection, Widened, find_lifted, find_widened
from segcube.backends.native_chains import Chain, constant, find_chains, per_channel
from segcube.backends.native_kinds import CONVOLUTIONS, GROUPED, TRANSPOSED, is_ours, pools
from segcube.backends.native_layers import Call
from segcube.backends.native_replacing import Replacing

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
