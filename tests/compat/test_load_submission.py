"""Scripts written for segcube 0.1 still run, with a deprecation message."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

import segcube


def test_a_script_with_load_submission_still_runs(tmp_path, tumour_submission, make_case, glioma):
    folder = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    with pytest.warns(DeprecationWarning, match="use segcube.load"):
        session = segcube.load_submission(tumour_submission, device="cpu", flips=False)
    assert isinstance(session, segcube.Session)
    prediction = session.predict(folder)
    file = session.write(prediction, tmp_path / "out")
    assert file == tmp_path / "out" / "BraTS-GLI-00001-000.nii.gz"
    np.testing.assert_array_equal(np.asarray(nib.load(file).dataobj), prediction.labels_xyz)
    assert prediction.case.name == "BraTS-GLI-00001-000"
    assert prediction.grid.shape == prediction.labels_xyz.shape
