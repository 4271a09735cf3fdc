"""A second source of cases: of a challenge with other label names and values than mbas2024."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from segcube.training.cases import ExtraData

from ..run.small import write_data

CHALLENGE = """
key: hearts
title: Hearts
case: 'HEART_\\d{3}'
made_case: 'HEART_{number:03d}'
layout: walk
channels: [{name: lge, suffixes: ['_gt']}]
reference: lge
label_suffixes: ['_label']
labels: {background: 0, LA: 1, RA: 2, wall: 4, vein: 5}
regions: {LA: [LA]}
scored: [LA]
write: [{region: LA, label: LA}]
geometry: {fixed: false, grids: [{shape: [24, 20, 16], spacing: [1, 1, 1]}]}
"""
VALUES = np.array([0, 4, 2, 1], np.uint8)
"""Of this challenge, for each of mbas2024: background, wall, RA, LA."""


def write_hearts(folder: Path) -> ExtraData:
    """Write three cases that write_data does not write; the second has a vein, a label of theirs alone."""
    source = write_data(folder.with_name("source"), 7)
    folder.mkdir()
    for number in range(5, 8):
        for kind in ("gt", "label"):
            image = nib.load(source / f"MBAS_{number:03d}_{kind}.nii.gz")
            voxels = np.asarray(image.dataobj)
            if kind == "label":
                voxels = VALUES[voxels]
                voxels[0, 0, 0] = 5 if number == 6 else 0
            name = f"HEART_{number - 4:03d}_{kind}.nii.gz"
            nib.save(nib.Nifti1Image(voxels, image.affine), folder / name)
    challenge = folder.with_name("hearts.yaml")
    challenge.write_text(CHALLENGE)
    return ExtraData(folder, str(challenge))
