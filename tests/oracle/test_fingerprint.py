"""The fingerprint of labelled scans against nnU-Net's own."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from segcube.spec.challenges import Challenge
from segcube.training.cases import check_dataset, find_labelled_cases
from segcube.training.plan import collect_fingerprint, measure_case

VOXELS = 30_000
SHAPES = {"case_01": (30, 24, 18), "case_02": (25, 31, 20), "case_03": (22, 22, 22)}
DATASET = {
    "channel_names": {"0": "T1", "1": "CT"},
    "labels": {"background": 0, "edema": 1, "core": 2},
    "numTraining": len(SHAPES),
    "file_ending": ".nii.gz",
}


@pytest.fixture
def challenge() -> Challenge:
    content = {
        "key": "scans",
        "title": "Scans",
        "case": r"case_\d{2}",
        "made_case": "case_{number:02d}",
        "layout": "walk",
        "channels": [{"name": "T1", "suffixes": ["_0000"]}, {"name": "CT", "suffixes": ["_0001"]}],
        "reference": "T1",
        "labels": DATASET["labels"],
        "regions": {"edema": ["edema"], "core": ["core"]},
        "scored": ["edema", "core"],
        "write": [{"region": name, "label": name} for name in ("edema", "core")],
        "geometry": {"fixed": False, "grids": [{"shape": [10, 10, 10], "spacing": [1.0, 1.0, 1.0]}]},
    }
    return Challenge.model_validate(content)


def write_cases(folder: Path) -> None:
    """Scans with zeros around them, of integers and of fractions, and labels that reach beyond them."""
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    rng = np.random.default_rng(3)
    for number, (case, shape) in enumerate(SHAPES.items()):
        affine = np.diag([-0.7 - 0.1 * number, -0.9, 2.0 + number, 1.0])
        inside_xyz = np.zeros(shape, dtype=bool)
        inside_xyz[3:-4, 2:-3, 1:-2] = True
        whole_xyz = np.where(inside_xyz, rng.integers(1, 900, shape), 0).astype(np.int16)
        parts_xyz = np.where(inside_xyz, rng.normal(50, 300, shape), 0).astype(np.float32)
        labels_xyz = np.zeros(shape, dtype=np.uint8)
        labels_xyz[:12, 8:16, 6:12] = 1
        labels_xyz[8:14, 10:14, 8:10] = 2
        for file, array_xyz in (
            (f"imagesTr/{case}_0000", whole_xyz),
            (f"imagesTr/{case}_0001", parts_xyz),
            (f"labelsTr/{case}", labels_xyz),
        ):
            image = nib.Nifti1Image(array_xyz, affine)
            image.set_qform(affine, 1)
            nib.save(image, folder / f"{file}.nii.gz")


def test_the_fingerprint_is_nnunets(tmp_path, oracle, challenge):
    write_cases(tmp_path / "raw" / "Dataset001_Scans")
    oracle.run("fingerprint.py", tmp_path, str(VOXELS))
    file = tmp_path / "preprocessed" / "Dataset001_Scans" / "dataset_fingerprint.json"
    expected = json.loads(file.read_text())

    data = find_labelled_cases(tmp_path / "raw" / "Dataset001_Scans", challenge)
    samples = VOXELS // len(SHAPES)
    checked = check_dataset(data, lambda case: measure_case(case.volume, case.labels_xyz, challenge, samples))
    found = collect_fingerprint(checked.measures.values(), challenge)

    assert [case.name for case in found.cases] == list(SHAPES)
    assert [list(case.cropped_shape[::-1]) for case in found.cases] == expected["shapes_after_crop"]
    np.testing.assert_allclose([case.spacing[::-1] for case in found.cases], expected["spacings"], rtol=1e-7)
    assert found.cropped_share == pytest.approx(expected["median_relative_size_after_cropping"], rel=1e-12)
    for number, statistics in enumerate(found.intensities):
        theirs = expected["foreground_intensity_properties_per_channel"][str(number)]
        # nnU-Net adds up in float32
        assert statistics.model_dump() == pytest.approx(theirs, rel=1e-6)
