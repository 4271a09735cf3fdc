"""Train a network by nnU-Net's own trainer on prepared cases.

Runs in the environment of published code: `train_nnunet.py FOLDER SEED STEPS EPOCH OUT`. FOLDER has
plans.json, dataset.json and splits_final.json, and prepared cases in `cases`. Writes the last weights to the
folder OUT. nnUNet_n_proc_DA is the number of processes that augment.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

FOLDER, SEED, STEPS, EPOCH, OUT = Path(sys.argv[1]), *map(int, sys.argv[2:5]), Path(sys.argv[5])
for place, here in (("raw", FOLDER), ("preprocessed", FOLDER), ("results", OUT)):
    os.environ[f"nnUNet_{place}"] = str(here / place)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402


class Trainer(nnUNetTrainer):
    """nnU-Net's trainer with fewer and shorter epochs, which draws and keeps nothing beside them."""

    def plot_network_architecture(self) -> None:
        pass

    def _save_debug_information(self) -> None:
        pass


def store_cases(plans: dict[str, Any]) -> None:
    """Store prepared cases as nnU-Net's preprocessing does, once."""
    base = FOLDER / "preprocessed" / plans["dataset_name"]
    folder = base / plans["configurations"]["3d_fullres"]["data_identifier"]
    if folder.exists():
        return
    folder.mkdir(parents=True)
    for file in (FOLDER / "cases").iterdir():
        arrays = dict(np.load(file))
        data, seg = arrays.pop("data"), arrays.pop("seg")
        places = {int(name.removeprefix("voxels ")): voxels for name, voxels in arrays.items()}
        nnUNetDatasetBlosc2.save_case(data, seg, {"class_locations": places}, str(folder / file.stem))
    for name in ("plans.json", "dataset.json", "splits_final.json"):
        shutil.copyfile(FOLDER / name, base / name)
    (base / "dataset_fingerprint.json").write_text("{}")


def main() -> None:
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)
    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    plans = json.loads((FOLDER / "plans.json").read_text()) | {"continue_training": False}
    store_cases(plans)
    dataset = json.loads((FOLDER / "dataset.json").read_text())
    trainer = Trainer(plans, "3d_fullres", 0, dataset, torch.device("cpu"))
    trainer.num_epochs, trainer.num_iterations_per_epoch = STEPS // EPOCH, EPOCH
    trainer.num_val_iterations_per_epoch = 1
    trainer.disable_checkpointing = True
    trainer.initialize()
    trainer.run_training()
    torch.save(trainer.network.state_dict(), OUT / "weights.pt")


if __name__ == "__main__":
    main()
