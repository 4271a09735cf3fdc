"""The published MedNeXt v1 by names and shapes alone, and its answer: written without segcube's own class.

BraTS-UGRIP's copy has Conv3d heads, MIC-DKFZ's ConvTranspose3d heads; all else is the same in both.
"""

import torch
from torch.nn import functional

WIDTH = 32
EXPANSIONS = {
    "S": (2, 2, 2, 2, 2, 2, 2, 2, 2),
    "B": (2, 3, 4, 4, 4, 4, 4, 3, 2),
    "M": (2, 3, 4, 4, 4, 4, 4, 3, 2),
    "L": (3, 4, 8, 8, 8, 8, 8, 4, 3),
}
BLOCKS = {
    "S": (2, 2, 2, 2, 2, 2, 2, 2, 2),
    "B": (2, 2, 2, 2, 2, 2, 2, 2, 2),
    "M": (3, 4, 4, 4, 4, 4, 4, 4, 3),
    "L": (3, 4, 8, 8, 8, 8, 8, 4, 3),
}
PARAMETERS = {
    ("S", 3): 5_553_936,
    ("S", 5): 5_983_568,
    ("B", 3): 10_529_328,
    ("B", 5): 10_958_960,
    ("M", 3): 17_551_984,
    ("M", 5): 18_263_856,
    ("L", 3): 61_782_288,
    ("L", 5): 62_995_920,
}
"""Counted on the published classes, with 4 channels, 3 outputs and deep supervision."""
ENTRIES = {"S": 237, "B": 237, "M": 365, "L": 525}


def _convolution(name, shape, outputs):
    return {f"{name}.weight": shape, f"{name}.bias": (outputs,)}


def _block(name, width, out, expansion, kernel):
    return {
        **_convolution(f"{name}.conv1", (width, 1, kernel, kernel, kernel), width),
        **_convolution(f"{name}.norm", (width,), width),
        **_convolution(f"{name}.conv2", (expansion * width, width, 1, 1, 1), expansion * width),
        **_convolution(f"{name}.conv3", (out, expansion * width, 1, 1, 1), out),
    }


def _stage(name, width, expansion, kernel, count):
    blocks = [_block(f"{name}.{index}", width, width, expansion, kernel) for index in range(count)]
    return {key: shape for block in blocks for key, shape in block.items()}


def original_shapes(
    expansions, blocks, kernel=3, heads="Conv3d", deep_supervision=True, width=WIDTH, channels=4, outputs=3
):
    """Name and shape of each entry, in the order in which the published state_dict holds them."""
    shapes = {"dummy_tensor": (1,), **_convolution("stem", (width, channels, 1, 1, 1), width)}
    for level in range(4):
        own = width * 2**level
        shapes |= _stage(f"enc_block_{level}", own, expansions[level], kernel, blocks[level])
        shapes |= _block(f"down_{level}", own, 2 * own, expansions[level + 1], kernel)
        shapes |= _convolution(f"down_{level}.res_conv", (2 * own, own, 1, 1, 1), 2 * own)
    shapes |= _stage("bottleneck", 16 * width, expansions[4], kernel, blocks[4])
    for level in (3, 2, 1, 0):
        own = width * 2**level
        shapes |= _block(f"up_{level}", 2 * own, own, expansions[8 - level], kernel)
        shapes |= _convolution(f"up_{level}.res_conv", (2 * own, own, 1, 1, 1), own)
        shapes |= _stage(f"dec_block_{level}", own, expansions[8 - level], kernel, blocks[8 - level])
    for level in range(5 if deep_supervision else 1):
        own = width * 2**level
        pair = (outputs, own) if heads == "Conv3d" else (own, outputs)
        shapes |= _convolution(f"out_{level}.conv_out", (*pair, 1, 1, 1), outputs)
    return shapes


def original_state(seed, width=2, expansions=(1,) * 9, blocks=(1,) * 9, **more):
    """A small network of random weights, large enough that an answer depends on each of them."""
    generator = torch.Generator().manual_seed(seed)
    shapes = original_shapes(expansions, blocks, width=width, **more)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def original_answer(state, image_ncxyz):
    """The published network's logits at full resolution."""
    x, skips = functional.conv3d(image_ncxyz, *_pair(state, "stem")), []
    for level in range(4):
        x = _run_stage(state, f"enc_block_{level}", x)
        skips.append(x)
        halved = _run_block(state, f"down_{level}", x, functional.conv3d, stride=2)
        x = halved + functional.conv3d(x, *_pair(state, f"down_{level}.res_conv"), stride=2)
    x = _run_stage(state, "bottleneck", x)
    for level in (3, 2, 1, 0):
        doubled = _run_block(state, f"up_{level}", x, functional.conv_transpose3d, stride=2)
        beside = functional.conv_transpose3d(x, *_pair(state, f"up_{level}.res_conv"), stride=2)
        grown = functional.pad(doubled, (1, 0) * 3) + functional.pad(beside, (1, 0) * 3)
        x = _run_stage(state, f"dec_block_{level}", skips.pop() + grown)
    weight, bias = _pair(state, "out_0.conv_out")
    is_conv3d = weight.shape[1] == x.shape[1]
    return (functional.conv3d if is_conv3d else functional.conv_transpose3d)(x, weight, bias)


def _pair(state, name):
    return state[f"{name}.weight"], state[f"{name}.bias"]


def _run_stage(state, stage, x):
    for index in range(sum(key.startswith(f"{stage}.") and key.endswith("conv1.bias") for key in state)):
        x = x + _run_block(state, f"{stage}.{index}", x, functional.conv3d)
    return x


def _run_block(state, block, x, convolve, stride=1):
    weight, bias = _pair(state, f"{block}.conv1")
    x = convolve(x, weight, bias, stride=stride, padding=weight.shape[-1] // 2, groups=x.shape[1])
    x = functional.group_norm(x, x.shape[1], *_pair(state, f"{block}.norm"))
    x = functional.gelu(functional.conv3d(x, *_pair(state, f"{block}.conv2")))
    return functional.conv3d(x, *_pair(state, f"{block}.conv3"))
