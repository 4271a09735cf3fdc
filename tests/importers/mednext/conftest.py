import json
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from segcube.networks import build_network

TINY = {"n_channels": 2, "exp_r": [1, 2, 1, 1, 1, 1, 1, 1, 1], "block_counts": [1, 2, 1, 1, 1, 1, 1, 1, 1]}


def v1_plans(**changes):
    """Plans as nnU-Net v1 pickles them, for four channels and three labels."""
    return {
        "num_modalities": 4,
        "modalities": {0: "FLAIR", 1: "T1", 2: "T1ce", 3: "T2"},
        "normalization_schemes": OrderedDict((index, "nonCT") for index in range(4)),
        "use_mask_for_norm": OrderedDict((index, True) for index in range(4)),
        "num_classes": 3,
        "all_classes": [1, 2, 3],
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "preprocessor_name": "GenericPreprocessor",
        "dataset_properties": {"intensityproperties": None},
        "plans_per_stage": {
            0: {"patch_size": np.array([16, 32, 16]), "current_spacing": np.array([1.0, 1.0, 1.0])}
        },
        **changes,
    }


@pytest.fixture
def v1_folder(tmp_path):
    """Write a model folder of random networks: plans, arguments of the networks, and what else differs."""

    def write(
        plans=None,
        trainer="nnUNetTrainerV2_MedNeXt_S_kernel3",
        prefix="",
        folds=("fold_0", "fold_1"),
        **network,
    ):
        folder = tmp_path / "source"
        for seed, fold in enumerate(folds):
            torch.manual_seed(seed)
            place = folder / fold
            place.mkdir(parents=True)
            arguments = {"in_channels": 4, "out_channels": 4, "deep_supervision": True, **TINY, **network}
            state = build_network("MedNeXtV1", arguments).state_dict()
            tree = {
                "epoch": 1000,
                "state_dict": OrderedDict((prefix + name, tensor) for name, tensor in state.items()),
                "optimizer_state_dict": None,
                "plot_stuff": ([np.float64(0.5)], [], [], []),
            }
            torch.save(tree, place / "model_final_checkpoint.model")
            init = ("plans.pkl", 0, str(place), "data", True, None, True, False, True)
            pickled = {"init": init, "name": trainer, "class": "<class>", "plans": plans or v1_plans()}
            (place / "model_final_checkpoint.model.pkl").write_bytes(pickle.dumps(pickled))
        labels = {"0": "background", "1": "necrosis", "2": "edema", "3": "enhancing tumor"}
        (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
        return folder

    return write
