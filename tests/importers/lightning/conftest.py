from argparse import Namespace

import pytest
import torch

from segcube.networks import build_network


@pytest.fixture
def tiny():
    """A tiny network of a seed, as a checkpoint of it holds it."""

    def make(seed, **changes):
        torch.manual_seed(seed)
        arguments = {"in_channels": 4, "out_channels": 3, "n_channels": 2, "exp_r": 1, "block_counts": 1}
        network = build_network("MedNeXtV1", {**arguments, **changes}).eval()
        # A fresh head hardly looks at the image
        torch.nn.init.normal_(network.out_0.conv_out.weight)
        return network

    return make


@pytest.fixture
def checkpoint(tmp_path, tiny):
    """Write a Lightning checkpoint: name, seed, prefix, and hyper-parameters."""

    def write(name, seed=0, prefix="model.", settings=None, extra=None, **changes):
        state = {prefix + key: tensor for key, tensor in tiny(seed, **changes).state_dict().items()}
        tree = {
            "epoch": 99,
            "global_step": 1000,
            "pytorch-lightning_version": "2.2.0",
            "state_dict": {**state, **(extra or {})},
            "loops": {"fit_loop": {"state_dict": {}}},
            "callbacks": {"ModelCheckpoint{'monitor': 'dice'}": {"best_model_score": torch.tensor(0.8)}},
            "optimizer_states": [],
            "hyper_parameters": Namespace(**settings) if settings else {},
        }
        file = tmp_path / "source" / name
        file.parent.mkdir(exist_ok=True)
        torch.save(tree, file)
        return file

    return write
