"""Cases as nnU-Net prepares them for training, and where its loader cuts patches: JSON in, npz out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nnunet_plans import dataset_of, plans_of
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.training.data_augmentation.compute_initial_patch_size import get_patch_size
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

DRAWS = 3000


def prepared(spec: dict, folder: Path) -> dict[str, np.ndarray]:
    """Image, labels and stored voxels of each class, of a case whose files are in the folder."""
    plans, dataset = plans_of(spec, "3d_fullres"), dataset_of(spec)
    manager = PlansManager(plans)
    images = [str(folder / f"image_{number:04d}.nii.gz") for number in range(spec["scan"]["channels"])]
    image, labels, properties = DefaultPreprocessor(False).run_case(
        images, str(folder / "labels.nii.gz"), manager, manager.get_configuration("3d_fullres"), dataset
    )
    places = properties["class_locations"]
    found = {f"voxels {key_of(key)}": np.reshape(place, (-1, 4))[:, 1:] for key, place in places.items()}
    return {"image": image, "labels": labels[0], **found}


def key_of(key: int | tuple[int, ...]) -> str:
    return " ".join(map(str, np.atleast_1d(key).tolist()))


class Cases:
    """Cases that the loader chooses from."""

    def __init__(self, names: Sequence[str]) -> None:
        self.identifiers = names


def placed(spec: dict, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Starts of what the loader cuts, with and without forcing, which samples it forces, and its cases."""
    patch, degrees = spec["patch"], 180 if spec["flat"] else 30
    turn = (-np.deg2rad(degrees), np.deg2rad(degrees))
    initial = get_patch_size(patch, turn, turn, turn, (0.85, 1.25))
    if spec["flat"]:
        initial[0] = patch[0]
    manager = LabelManager(spec["labels"], spec["order"])
    regions = manager.foreground_regions if manager.has_regions else manager.foreground_labels
    groups = [*regions, *([[-1, *manager.all_labels]] if manager.has_ignore_label else [])]
    places = DefaultPreprocessor._sample_foreground_locations(labels[None], groups)
    names = [str(number) for number in range(spec["cases"])]
    loader = nnUNetDataLoader(Cases(names), spec["batch"], initial, patch, manager, 0.33)
    np.random.seed(0)
    starts = {
        name: np.array([loader.get_bbox(labels.shape, forced, places)[0] for _ in range(DRAWS)])
        for name, forced in (("random", False), ("forced", True))
    }
    return {
        **starts,
        "forced samples": np.array([loader.get_do_oversample(sample) for sample in range(spec["batch"])]),
        "cases": np.array([loader.get_indices() for _ in range(DRAWS)], dtype=int),
        "initial": initial,
    }


def main(folder: Path) -> None:
    for request in json.loads((folder / "requests.json").read_text()):
        here = Path(request["folder"])
        if request["kind"] == "prepared":
            found = prepared(request["spec"], here)
        else:
            found = placed(request["spec"], np.load(here / "labels.npy"))
        np.savez(here / "results.npz", **found)


main(Path(sys.argv[1]))
