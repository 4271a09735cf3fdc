"""Data sets of the comparison: raw data of nnU-Net with a plan, and prepared cases for its trainer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import yaml

from segcube.evaluation import find_maps
from segcube.formats import discover_cases
from segcube.formats.nifti import read_labels, read_volume
from segcube.phantoms import Phantom, make_phantom
from segcube.phantoms.cases import crop_phantom
from segcube.spec.challenges import load_challenge
from segcube.training.patches import OUTSIDE
from segcube.training.run import RunFolder
from segcube.training.run.fold_data import open_fold
from training.plans import NetworkPlan, plans_of

NAME = "Dataset001_Benchmark"
HEARTS, REGION = "mbas2024", "LA"
PHANTOM_MM, PHANTOM_EDGE = 2.5, 72
"""Phantoms are cropped around the heart, as the scans are; in voxels."""


@dataclass(frozen=True)
class LabelledScan:
    """A scan; labels_xyz: indices into the labels of the data set."""

    name: str
    image_cxyz: np.ndarray
    labels_xyz: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True)
class RawData:
    """What plans.json and dataset.json need; the first cases train, all others validate."""

    plan: NetworkPlan
    channels: Sequence[str]
    labels: Sequence[str]
    """By their values, from the background at 0."""
    training: int


def write_raw(scans: Iterable[LabelledScan], data: RawData, folder: Path) -> None:
    """Write nnU-Net's raw data set, plans.json beside dataset.json, and a split."""
    raw = folder / "raw" / NAME
    for part in ("imagesTr", "labelsTr"):
        (raw / part).mkdir(parents=True)
    names: list[str] = []
    for scan in scans:
        names.append(scan.name)
        for channel, image_xyz in enumerate(scan.image_cxyz):
            image = nib.Nifti1Image(image_xyz.astype(np.float32), scan.affine)
            nib.save(image, raw / "imagesTr" / f"{scan.name}_{channel:04d}.nii.gz")
        labels = nib.Nifti1Image(scan.labels_xyz.astype(np.uint8), scan.affine)
        nib.save(labels, raw / "labelsTr" / f"{scan.name}.nii.gz")
    dataset = {
        "channel_names": {str(number): name for number, name in enumerate(data.channels)},
        "labels": {name: value for value, name in enumerate(data.labels)},
        "numTraining": len(names),
        "file_ending": ".nii.gz",
    }
    for file, content in {
        raw / "dataset.json": dataset,
        folder / "dataset.json": dataset,
        folder / "plans.json": plans_of(data.plan, NAME, len(data.channels)),
        folder / "splits_final.json": [{"train": names[: data.training], "val": names[data.training :]}],
    }.items():
        file.write_text(json.dumps(content, indent=1))


def heart_phantoms(count: int) -> Iterator[LabelledScan]:
    """Coarse phantoms, cropped around the heart."""
    source = load_challenge(HEARTS)
    for index in range(count):
        phantom = crop_phantom(make_phantom(source, 0, index, PHANTOM_MM), PHANTOM_EDGE)
        yield scan_of(phantom, phantom.labels_xyz == source.labels[REGION])


def scan_of(phantom: Phantom, labels_xyz: np.ndarray) -> LabelledScan:
    """A phantom with other labels."""
    return LabelledScan(phantom.case, phantom.image_cxyz, labels_xyz, phantom.grid.affine)


def heart_scans(folder: Path) -> Iterator[LabelledScan]:
    """The scans of a folder with `mbas` and `mbas-labels`."""
    source = load_challenge(HEARTS)
    files = find_maps(folder / "mbas-labels", source)
    for case in discover_cases(folder / "mbas", source).cases:
        volume = read_volume(case, source.channel_names)
        labels_xyz = read_labels(files[case.name])[0] == source.labels[REGION]
        yield LabelledScan(case.name, np.stack(list(volume.voxels)), labels_xyz, volume.grid.affine)


def write_heart_challenge(file: Path) -> None:
    """Write a challenge of the left atrium alone."""
    source = load_challenge(HEARTS)
    content = {
        "key": "left-atrium",
        "title": "Left atrium",
        "case": source.case,
        "made_case": source.made_case,
        "layout": "walk",
        "channels": [{"name": "lge", "suffixes": ["_gt"]}],
        "reference": "lge",
        "label_suffixes": ["_label"],
        "labels": {"background": 0, REGION: 1},
        "regions": {REGION: [REGION]},
        "scored": [REGION],
        "write": [{"region": REGION, "label": REGION}],
        "geometry": {"fixed": False, "grids": [{"shape": [200, 140, 22], "spacing": [0.625, 0.625, 2.5]}]},
        "metrics": {"profile": "plain"},
    }
    file.write_text(yaml.safe_dump(content))


def write_nnunet_cases(run: RunFolder, folder: Path) -> None:
    """Write a run's cached cases for nnU-Net: voxels, labels and the places (N, 4) of each class, by name."""
    folder.mkdir(parents=True)
    for case in open_fold(run, "all").cases:
        labels_xyz = case.labels_xyz.astype(np.int16)
        labels_xyz[labels_xyz == OUTSIDE] = -1
        arrays = {"data": np.array(case.image_cxyz, dtype=np.float32), "seg": labels_xyz[None]}
        for index, voxels in enumerate(case.class_voxels.values()):
            # The first column is nnU-Net's channel
            arrays[f"voxels {index + 1}"] = np.pad(voxels.astype(np.int64), ((0, 0), (1, 0)))
        np.savez(folder / f"{case.name}.npz", **arrays)
