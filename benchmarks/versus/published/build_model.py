"""Write an nnU-Net v2 model folder of random weights by nnU-Net's classes.

Runs in the environment of published code, with tests/oracle/reference on the path:
`build_model.py PLAN.json FOLDER FOLDS`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from nnunet import make_network
from nnunet_plans import dataset_of, plans_of

CONFIGURATION = "3d_fullres"


def documents_of(plan: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """plans.json with one configuration, and dataset.json."""
    spec = {
        "scan": {"channels": len(plan["channels"])},
        "labels": {name: value for value, name in enumerate(plan["labels"])},
        "order": None,
        "plan": plan | {"normalization": "ZScoreNormalization", "mask": plan["masked"]},
        "resampling": "splines",
        "network": "ResidualEncoderUNet",
        "strides": plan["strides"],
        "transpose": [0, 1, 2],
        "reader": "SimpleITKIO",
    }
    plans, dataset = plans_of(spec, CONFIGURATION), dataset_of(spec)
    configuration = plans["configurations"]["parent"]
    stages = len(plan["features"])
    configuration["architecture"]["arch_kwargs"] |= {
        "n_stages": stages,
        "features_per_stage": plan["features"],
        "kernel_sizes": plan["kernels"],
        "n_blocks_per_stage": plan["blocks"],
        "n_conv_per_stage_decoder": [1] * (stages - 1),
    }
    names = {str(number): name for number, name in enumerate(plan["channels"])}
    return plans | {"configurations": {CONFIGURATION: configuration}}, dataset | {"channel_names": names}


def build(plan: dict[str, Any], folder: Path, folds: int) -> None:
    """Write plans.json, dataset.json and a checkpoint for each fold."""
    plans, dataset = documents_of(plan)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    for fold in range(folds):
        torch.manual_seed(fold)
        network = make_network(json.loads(json.dumps(plans)), dataset, CONFIGURATION, 0.0)
        arguments = {"plans": plans, "configuration": CONFIGURATION, "fold": fold, "dataset_json": dataset}
        saved = {
            "network_weights": network.state_dict(),
            "current_epoch": 1,
            "init_args": arguments | {"device": torch.device("cuda", 0)},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1, 2),
        }
        (folder / f"fold_{fold}").mkdir()
        torch.save(saved, folder / f"fold_{fold}" / "checkpoint_final.pth")


if __name__ == "__main__":
    build(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), int(sys.argv[3]))
