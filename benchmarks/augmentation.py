"""Milliseconds of one core to augment a batch by nnU-Net's recipe: segcube against nnU-Net's own loader.

Both cut two patches of 128 x 128 x 128 voxels and four channels from one case and augment them: segcube
from its half-precision cache, nnU-Net from its single-precision arrays, by its loader and its transforms.
Run it from a checkout with both environments: .venv/bin/python benchmarks/augmentation.py [batches]
"""

from __future__ import annotations

import os

# Before numpy and torch start their threads
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

PATCH, BATCH = (128, 128, 128), 2
CHANNELS = ("t1n", "t1c", "t2w", "t2f")
SHAPE = (140, 172, 138)
"""Of a head of BraTS, cropped to its nonzero voxels."""
RADII = (26, 18, 10)
"""In voxels, of nested labels."""
BATCHES = 60
ORACLE = Path(__file__).parents[1] / ".venv-oracle" / "bin" / "python"


def head() -> tuple[np.ndarray, np.ndarray]:
    """An ellipsoid of noise, 0 outside, and nested balls of labels 2, 1 and 3 inside; -1 outside."""
    rng = np.random.default_rng(0)
    offsets = np.ogrid[tuple(slice(-1, 1, size * 1j) for size in SHAPE)]
    inside = sum(axis**2 for axis in offsets) < 1
    away = sum((axis * size / 2) ** 2 for axis, size in zip(offsets, SHAPE, strict=True))
    labels = np.where(inside, 0, -1).astype(np.int16)
    for radius, label in zip(RADII, (2, 1, 3), strict=True):
        labels[away < radius**2] = label
    return rng.standard_normal((len(CHANNELS), *SHAPE), dtype=np.float32) * inside, labels


def milliseconds(make: Callable[[int], object], batches: int) -> float:
    """Time of this process for a batch, the mean of many: each draws other transforms."""
    torch.set_num_threads(1)
    make(batches)
    start = time.process_time()
    for step in range(batches):
        make(step)
    return (time.process_time() - start) / batches * 1000


def by_segcube(folder: Path, batches: int) -> float:
    """From a cache of the case, patches drawn as nnU-Net does."""
    from segcube.core import Case
    from segcube.spec.challenges import load_challenge
    from segcube.spec.submission import Branch
    from segcube.training.augment import make_batch
    from segcube.training.cache import CacheRules, load_residents, open_cache, prepare_cases
    from segcube.training.cases import LabelledCase
    from segcube.training.keys import StepKey
    from segcube.training.patches import PatchRules
    from segcube.training.recipes import load_recipe
    from segcube.training.sampling import draw_patches

    branch = Branch.model_validate(
        {
            "channels": CHANNELS,
            "normalize": {"scheme": "zscore", "mask": "foreground"},
            "outputs": {"kind": "labels", "names": ["background", "NCR", "ED", "ET"]},
            "window": {"size": PATCH},
            "members": [{"file": "m.safetensors", "sha256": "0" * 64}],
        }
    )
    files = {name: folder / f"{name}.nii" for name in CHANNELS}
    rules = CacheRules(branch, load_challenge("brats2023-gli"))
    case = LabelledCase(Case("head", files, "t1c"), folder / "labels.nii", "head")
    assert all(outcome.written for outcome in prepare_cases([case], rules, folder / "cache"))
    cases = open_cache(folder / "cache", ["head"], rules)
    source = load_residents(cases, torch.device("cpu"), 0)
    recipe = load_recipe("nnunet")
    patches = PatchRules(branch, PATCH, BATCH, recipe.steps, recipe.sampling, recipe.augmentation)

    def make(step: int) -> object:
        key = StepKey(0, step)
        return make_batch(
            source, draw_patches(cases, patches, key, range(BATCH)), patches, key, torch.device("cpu")
        )

    return milliseconds(make, batches)


def by_nnunet(folder: Path, batches: int) -> float:
    """As nnU-Net's loader in one of its worker processes."""
    from nnunetv2.training.data_augmentation.compute_initial_patch_size import get_patch_size
    from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.label_handling.label_handling import LabelManager

    image, labels = (np.load(folder / f"{name}.npy", mmap_mode="c") for name in ("single", "signed"))
    places = {label: np.argwhere(labels[None] == label) for label in (1, 2, 3)}

    class OneCase:
        identifiers = ("head",)

        def load_case(self, _name):
            return image, labels[None], None, {"class_locations": places}

    turn = (-np.pi / 6, np.pi / 6)
    transforms = nnUNetTrainer.get_training_transforms(
        PATCH, turn, None, (0, 1, 2), False, use_mask_for_norm=[True] * len(CHANNELS)
    )
    initial = get_patch_size(PATCH, turn, turn, turn, (0.85, 1.25))
    manager = LabelManager({"background": 0, "a": 1, "b": 2, "c": 3}, None)
    loader = nnUNetDataLoader(OneCase(), BATCH, initial, PATCH, manager, 0.33, transforms=transforms)
    np.random.seed(0)
    torch.manual_seed(0)
    return milliseconds(lambda _: loader.generate_train_batch(), batches)


def main(batches: int) -> None:
    image, labels = head()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        np.save(folder / "single.npy", image)
        np.save(folder / "signed.npy", labels)
        for name, channel in zip(CHANNELS, image, strict=True):
            nib.save(nib.Nifti1Image(channel, np.diag([-1.0, -1, 1, 1])), folder / f"{name}.nii")
        native = np.maximum(labels, 0).astype(np.uint8)
        nib.save(nib.Nifti1Image(native, np.diag([-1.0, -1, 1, 1])), folder / "labels.nii")
        found = {}
        for name, interpreter in (("segcube", sys.executable), ("nnU-Net", ORACLE)):
            command = [str(interpreter), "-W", "ignore", __file__, str(batches), name, scratch]
            found[name] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    size = f"{BATCH} x {len(CHANNELS)} x {' x '.join(map(str, PATCH))}"
    print(f"one core, mean of {batches} batches of {size} voxels, by recipe nnunet:")
    for name, value in found.items():
        print(f"{name:8} {value:7.0f} ms a batch")
    print(f"ratio    {found['nnU-Net'] / found['segcube']:7.1f}")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else BATCHES
    if len(sys.argv) > 2:
        measure = by_segcube if sys.argv[2] == "segcube" else by_nnunet
        print(json.dumps(measure(Path(sys.argv[3]), count)))
    else:
        main(count)
