from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from segcube.errors import UsageError
from segcube.evaluate import dice, evaluate_folder


def test_dice_by_hand():
    one, other = np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
    one[:2], other[1:3] = True, True
    assert dice(one, other) == 0.5
    assert dice(one, one) == 1.0
    assert dice(one, np.zeros_like(one)) == 0.0
    assert dice(np.zeros_like(one), np.zeros_like(one)) == 1.0


def write(folder, name, labels_xyz):
    folder.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(labels_xyz.astype(np.uint8), np.eye(4)), folder / name)


def test_regions_are_unions_of_labels_and_missing_cases_count(tmp_path, glioma):
    labels_xyz = np.zeros((4, 4, 4))
    labels_xyz[0], labels_xyz[1], labels_xyz[2] = 1, 2, 3
    for number in (1, 2):
        write(tmp_path / "ref", f"BraTS-GLI-0000{number}-000-seg.nii.gz", labels_xyz)
    found_xyz = labels_xyz.copy()
    found_xyz[0] = 3
    write(tmp_path / "pred", "BraTS-GLI-00001-000.nii.gz", found_xyz)
    scores = evaluate_folder(tmp_path / "pred", tmp_path / "ref", glioma)
    assert scores.cases["BraTS-GLI-00001-000"] == {"WT": 1.0, "TC": 1.0, "ET": pytest.approx(2 / 3)}
    assert scores.cases["BraTS-GLI-00002-000"] == {"WT": 0.0, "TC": 0.0, "ET": 0.0}
    assert scores.problems == {"BraTS-GLI-00002-000": "no label map"}
    assert scores.mean("WT") == 0.5


def test_a_reference_without_maps_is_told(tmp_path, glioma):
    with pytest.raises(UsageError, match="no label map"):
        evaluate_folder(tmp_path, tmp_path, glioma)
