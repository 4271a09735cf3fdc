"""The report on samples."""

import nibabel as nib
import numpy as np
import pytest

from segcube.core import UsageError
from segcube.diffusion import ModelFolder, read_model_file, report_quality, train_model
from segcube.diffusion.images import as_intensities

from .tiny import CPU, no_bar, request_for, sampled


def test_the_report_finds_copies_of_training_cases(model, tmp_path):
    names = sampled(model, tmp_path, count=2, masks="cases")
    found = report_quality(model, tmp_path, (), no_bar)
    assert set(found.nearest) == set(names)
    assert len(found.comparison.rows) > 5
    _replace_by_training_case(model, tmp_path, names[0])
    found = report_quality(model, tmp_path, (), no_bar)
    assert found.nearest[names[0]].is_copy
    assert found.nearest[names[0]].correlation == pytest.approx(1.0, abs=0.01)
    assert found.nearest[names[0]].case == read_model_file(model)[0].cases[0].name
    assert not found.nearest[names[1]].is_copy


def _replace_by_training_case(model, samples, name):
    case = read_model_file(model)[0].cases[0]
    image_cxyz = np.load(model.cache / case.name / "image.npy").astype(np.float32)
    file = samples / "data" / f"{name}_gt.nii.gz"
    affine = nib.load(file).affine
    body_xyz = np.ones(image_cxyz.shape[1:], bool)
    nib.save(nib.Nifti1Image(as_intensities(image_cxyz, body_xyz)[0], affine), file)


def test_samples_of_another_model_are_not_compared(run, model, tmp_path):
    other = ModelFolder(tmp_path / "other")
    train_model(request_for(run, seed=5), other, CPU)
    sampled(other, tmp_path / "samples")
    with pytest.raises(UsageError, match="samples of another model"):
        report_quality(model, tmp_path / "samples", (), no_bar)


def test_patches_smaller_than_cases_have_no_nearest_case(run, tmp_path):
    folder = ModelFolder(tmp_path / "m")
    train_model(request_for(run, patch=[8, 8, 8]), folder, CPU)
    sampled(folder, tmp_path / "samples")
    assert report_quality(folder, tmp_path / "samples", (), no_bar).nearest == {}


def test_a_label_map_on_another_grid_is_refused(model, tmp_path):
    (name,) = sampled(model, tmp_path)
    file = tmp_path / "labels" / f"{name}_label.nii.gz"
    image = nib.load(file)
    labels_xyz = np.asanyarray(image.dataobj)
    nib.save(nib.Nifti1Image(labels_xyz[:5], image.affine), file)
    with pytest.raises(UsageError, match="has another grid or unknown labels"):
        report_quality(model, tmp_path, (), no_bar)
