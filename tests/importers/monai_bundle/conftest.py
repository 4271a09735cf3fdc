import json

import pytest
import torch

from segcube.networks import build_network

SEGRESNET = {"init_filters": 8, "in_channels": 4, "out_channels": 3, "blocks_down": [1, 1], "blocks_up": [1]}


def inference(**changes):
    """A configuration like that of brats_mri_segmentation, with a network of a few thousand weights."""
    return {
        "imports": ["$import os"],
        "bundle_root": ".",
        "image_key": "image",
        "device": "$torch.device('cuda:0')",
        "sides": [16, 16, 16],
        "network_def": {"_target_": "SegResNet", **SEGRESNET, "dropout_prob": 0.2},
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "@image_key", "image_only": False},
                {
                    "_target_": "NormalizeIntensityd",
                    "keys": "@image_key",
                    "nonzero": True,
                    "channel_wise": True,
                },
            ],
        },
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": "@sides",
            "sw_batch_size": 1,
            "overlap": 0.5,
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
                {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing"},
                {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
                {"_target_": "Lambdad", "keys": "pred", "func": "$lambda x: x"},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "$@bundle_root + '/eval'"},
            ],
        },
        "run": ["$@evaluator.run()"],
        **changes,
    }


def metadata(inputs, outputs):
    def channels(names):
        return {"first": {"channel_def": {str(i): name for i, name in enumerate(names)}}}

    formats = {"inputs": channels(inputs), "outputs": channels(outputs)}
    return {"name": "BraTS MRI segmentation", "version": "0.5.2", "network_data_format": formats}


@pytest.fixture
def bundle(tmp_path):
    """Write a bundle: its configuration, channels and outputs, and what wraps the weights."""

    def write(
        config=None,
        inputs=("T1c", "T1", "T2", "FLAIR"),
        outputs=("Tumor core", "Whole tumor", "Enhancing tumor"),
        network=("SegResNet", SEGRESNET),
        wrap=lambda state: state,
    ):
        folder = tmp_path / "bundle"
        (folder / "configs").mkdir(parents=True)
        (folder / "models").mkdir()
        (folder / "configs" / "inference.json").write_text(json.dumps(config or inference()))
        (folder / "configs" / "metadata.json").write_text(json.dumps(metadata(inputs, outputs)))
        torch.manual_seed(0)
        torch.save(wrap(build_network(*network).state_dict()), folder / "models" / "model.pt")
        return folder

    return write
