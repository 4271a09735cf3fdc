"""MONAI's sliding window in a plain loop over cases, with the networks of an nnU-Net model folder.

Runs where published code lives. A typical loop: crop to the nonzero box, normalise, slide, argmax,
save. Arrays are in the networks' order (z, y, x).
"""

from __future__ import annotations

import argparse
import json
from itertools import chain, combinations
from pathlib import Path
from pydoc import locate
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.inferers import sliding_window_inference

ON_CUDA = 4
"""Windows in a batch on a GPU."""


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("model", "images", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--folds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--mirrors", action="store_true")
    options = parser.parse_args()
    plans = json.loads((options.model / "plans.json").read_text())
    (configuration,) = plans["configurations"].values()
    networks = [
        network_of(options.model, configuration, fold, options.device) for fold in range(options.folds)
    ]
    axes = (2, 3, 4) if options.mirrors else ()
    options.out.mkdir(parents=True, exist_ok=True)
    for first in sorted(options.images.glob("*_0000.nii.gz")):
        files = sorted(options.images.glob(first.name.replace("_0000", "_*")))
        scans = [nib.load(file) for file in files]
        image_czyx = np.stack([np.asarray(scan.dataobj, dtype=np.float32).T for scan in scans])
        labels_zyx = segment(image_czyx, networks, configuration, axes, options.device)
        name = first.name.replace("_0000", "")
        nib.save(nib.Nifti1Image(labels_zyx.T, scans[0].affine), options.out / name)


def network_of(model: Path, configuration: dict[str, Any], fold: int, device: str) -> torch.nn.Module:
    """A fold's network."""
    dataset = json.loads((model / "dataset.json").read_text())
    network_class = locate(configuration["architecture"]["network_class_name"])
    arguments = dict(configuration["architecture"]["arch_kwargs"])
    for name in ("conv_op", "norm_op", "nonlin"):
        arguments[name] = locate(arguments[name])
    network = network_class(
        input_channels=len(dataset["channel_names"]), num_classes=len(dataset["labels"]), **arguments
    )
    saved = torch.load(model / f"fold_{fold}/checkpoint_final.pth", map_location="cpu", weights_only=False)
    network.load_state_dict(saved["network_weights"])
    return network.eval().to(device)


def segment(
    image_czyx: np.ndarray,
    networks: list[torch.nn.Module],
    configuration: dict[str, Any],
    axes: tuple[int, ...],
    device: str,
) -> np.ndarray:
    """Labels (z, y, x) of a case; the networks' outputs and those of all mirrors are averaged."""
    inside_zyx = (image_czyx != 0).any(axis=0)
    places = np.nonzero(inside_zyx)
    box = tuple(slice(axis.min(), axis.max() + 1) for axis in places)
    whole_zyx, brain_zyx = np.ones_like(inside_zyx[box]), inside_zyx[box]
    masks = [brain_zyx if masked else whole_zyx for masked in configuration["use_mask_for_norm"]]
    cropped_czyx = image_czyx[(slice(None), *box)]
    for channel_zyx, mask_zyx in zip(cropped_czyx, masks, strict=True):
        values = channel_zyx[mask_zyx]
        channel_zyx[mask_zyx] = (values - values.mean()) / max(values.std(), 1e-8)
    mirrors = list(chain.from_iterable(combinations(axes, n) for n in range(len(axes) + 1)))
    batch_nczyx = torch.from_numpy(cropped_czyx)[None].to(device)
    total_nkzyx = 0
    with torch.inference_mode(), torch.autocast("cuda", enabled=device == "cuda"):
        for network in networks:
            for mirror in mirrors:
                found_nkzyx = sliding_window_inference(
                    batch_nczyx.flip(mirror),
                    roi_size=configuration["patch_size"],
                    sw_batch_size=ON_CUDA if device == "cuda" else 1,
                    predictor=network,
                    overlap=0.5,
                    mode="gaussian",
                )
                total_nkzyx = total_nkzyx + found_nkzyx.flip(mirror)
    labels_zyx = np.zeros(inside_zyx.shape, dtype=np.uint8)
    labels_zyx[box] = total_nkzyx[0].argmax(dim=0).to(torch.uint8).cpu().numpy()
    return labels_zyx


if __name__ == "__main__":
    main()
