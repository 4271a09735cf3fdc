"""The rule by which MBAS's second stage follows its first, said with nnU-Net's own parts."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.postprocessing.remove_connected_components import (
    remove_all_but_largest_component_from_segmentation,
)
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from scipy.ndimage import binary_dilation

CASE = "case_01"


@dataclass
class Parameters2Stage:
    """What MBAS pickles for its predictor, under the names that it gives."""

    stage1_checkpoint: dict
    stage1_dataset: dict
    stage1_plans: dict
    stage1_postprocessing_kwargs: list
    stage2_checkpoint: dict
    stage2_dataset: dict
    stage2_plans: dict
    stage2_postprocessing_kwargs: list


Parameters2Stage.__module__ = "mbas.tasks.predict"


def pickle_stages(root: Path) -> None:
    """Both stages of `earlier` and `model` in one `model.pth`, by plain pickle."""
    parts = {}
    for number, name in ((1, "earlier"), (2, "model")):
        folder = root / name
        parts[f"stage{number}_checkpoint"] = torch.load(
            folder / "fold_0" / "checkpoint_final.pth", weights_only=False, map_location="cpu"
        )
        parts[f"stage{number}_dataset"] = json.loads((folder / "dataset.json").read_text())
        parts[f"stage{number}_plans"] = json.loads((folder / "plans.json").read_text())
    first, last = [{"labels_or_regions": 1}], [{"labels_or_regions": label} for label in (1, 2, 3)]
    stages = Parameters2Stage(**parts, stage1_postprocessing_kwargs=first, stage2_postprocessing_kwargs=last)
    with (root / "model.pth").open("wb") as file:
        Named(file).dump(stages)


class Named(pickle._Pickler):
    """Writes the class by the name of a module that is not here."""

    def save_global(self, obj: object, name: str | None = None) -> None:
        if obj is not Parameters2Stage:
            super().save_global(obj, name)
            return
        self.write(pickle.GLOBAL + b"mbas.tasks.predict\nParameters2Stage\n")
        self.memoize(obj)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, type: save_global}


def predict_last(predictor: nnUNetPredictor, root: Path, kind: str) -> None:
    """The last stage behind the first one's mask, from `earlier-KIND`; the map goes to `model-KIND`."""
    reader = predictor.plans_manager.image_reader_writer_class()
    image, properties = reader.read_images([str(root / "images" / f"{CASE}_0000.nii.gz")])
    earlier, _ = reader.read_seg(str(root / f"earlier-{kind}" / f"{CASE}.nii.gz"))
    mask = remove_all_but_largest_component_from_segmentation(earlier[0].astype(np.int8), 1)
    data, mask, properties = DefaultPreprocessor(False).run_case_npy(
        image,
        mask[None],
        properties,
        predictor.plans_manager,
        predictor.configuration_manager,
        predictor.dataset_json,
    )
    logits = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(data)).clone()
    radius = predictor.configuration_manager.configuration["cascaded_mask_dilation"]
    shut = torch.from_numpy(~dilated(mask[0] > 0, radius))
    logits[0][shut] = 1
    logits[1:, shut] = 0
    labels = convert_predicted_logits_to_segmentation_with_correct_shape(
        logits, predictor.plans_manager, predictor.configuration_manager, predictor.label_manager, properties
    )
    for label in (1, 2, 3):
        labels = remove_all_but_largest_component_from_segmentation(labels, label)
    (root / f"model-{kind}").mkdir()
    reader.write_seg(labels, str(root / f"model-{kind}" / f"{CASE}.nii.gz"), properties)


def dilated(mask: np.ndarray, radius: int) -> np.ndarray:
    """Grown by a ball of voxels."""
    reach = np.arange(-radius, radius + 1)
    ball = np.add.outer(np.add.outer(reach**2, reach**2), reach**2) <= radius**2
    return binary_dilation(mask, ball)
