"""Multiply-adds of a submission's networks over one window each, in 1e9: `count_products.py FOLDER`.

Of the convolutions alone: the norms and activations between them are less than a hundredth.
"""

from __future__ import annotations

import sys
from math import prod
from pathlib import Path

import numpy as np
import openvino as ov

from segcube.backends import member_files
from segcube.backends.graphs import Graph, read_compiled
from segcube.submission import load_for

OF_OUTPUTS = {"Convolution": 1, "GroupConvolution": 2}
"""How many of a kernel's sizes do not multiply an output voxel: outputs, or groups and outputs."""


def products(graph: Graph) -> int:
    """Multiply-adds of one window."""
    constants = ov.Tensor(np.frombuffer(graph.constants, np.uint8).copy())
    total = 0
    for node in ov.Core().read_model(graph.xml, constants).get_ordered_ops():
        kind = node.get_type_name()
        if kind in OF_OUTPUTS:
            kernel = list(node.input_value(1).get_shape())
            total += prod(node.get_output_shape(0)) * prod(kernel[OF_OUTPUTS[kind] :])
        elif kind == "ConvolutionBackpropData":
            total += prod(node.input_value(0).get_shape()) * prod(list(node.input_value(1).get_shape())[1:])
    return total


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    compiled = read_compiled(folder)
    members = member_files(load_for(folder).submission, folder)
    print(sum(products(compiled.read(member)) for member in members) / 1e9)
