from argparse import Namespace

import pytest
import torch

from ..originals import original_state


@pytest.fixture
def checkpoint(tmp_path):
    """Write a Lightning checkpoint in the published layout: name, seed, prefix, and hyper-parameters."""

    def write(name, seed=0, prefix="model.", settings=None, extra=None, optimizers=(), **changes):
        state = {prefix + key: tensor for key, tensor in original_state(seed, **changes).items()}
        tree = {
            "epoch": 99,
            "global_step": 1000,
            "pytorch-lightning_version": "2.2.0",
            "state_dict": {**state, **(extra or {})},
            "loops": {"fit_loop": {"state_dict": {}}},
            "callbacks": {"ModelCheckpoint{'monitor': 'dice'}": {"best_model_score": torch.tensor(0.8)}},
            "optimizer_states": list(optimizers),
            "hyper_parameters": Namespace(**settings) if settings else {},
        }
        file = tmp_path / "source" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(tree, file)
        return file

    return write
