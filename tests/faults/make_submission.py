"""A submission of one tiny network, fast enough for one run per fault."""

from __future__ import annotations

from pathlib import Path

import yaml

from segcube.backends.openvino import compile_submission
from segcube.networks import build_network, save_network
from segcube.spec.submission import load_for_challenge

NETWORK = "PlainConvUNet"
ARGUMENTS = {
    "input_channels": 4,
    "num_classes": 3,
    "n_stages": 3,
    "features_per_stage": [2, 4, 4],
    "kernel_sizes": [[3, 3, 3]] * 3,
    "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
    "n_conv_per_stage": [1] * 3,
    "n_conv_per_stage_decoder": [1] * 2,
    "conv_bias": True,
    "norm_op": "torch.nn.InstanceNorm3d",
    "nonlin": "torch.nn.LeakyReLU",
}
FILE = "member.safetensors"


def make_submission(folder: Path, seed: int = 0, size: tuple[int, int, int] = (16, 16, 16)) -> Path:
    """Write a compiled submission for brats2023-gli; returns the folder."""
    import torch

    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    sha256 = save_network(build_network(NETWORK, ARGUMENTS), NETWORK, ARGUMENTS, folder / FILE)
    branch = {
        "channels": ["t2f", "t1n", "t1c", "t2w"],
        "outputs": {"kind": "regions", "names": ["TC", "WT", "ET"]},
        "window": {"size": list(size), "plan": "monai"},
        "flips": ["x"],
        "members": [{"file": FILE, "sha256": sha256}],
    }
    content = {
        "name": "tiny",
        "challenge": "brats2023-gli",
        "stages": [{"name": "tumour", "branches": [branch]}],
        "postprocess": [{"rule": "nest", "order": ["ET", "TC", "WT"]}],
    }
    (folder / "submission.yaml").write_text(yaml.safe_dump(content))
    compile_submission(load_for_challenge(folder), folder, print)
    return folder
