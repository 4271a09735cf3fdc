from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

import segcube
from segcube.errors import CaseError, UsageError


def test_a_session_predicts_as_often_as_wanted(tmp_path, tumour_submission, make_case, glioma):
    session = segcube.load_submission(tumour_submission, device="cpu")
    folders = [make_case(tmp_path / "data", glioma, f"BraTS-GLI-0000{n}-000", seed=n) for n in (1, 2)]
    first, second, again = (session.predict(folder) for folder in (*folders, folders[0]))
    np.testing.assert_array_equal(first.labels_xyz, again.labels_xyz)
    assert (first.labels_xyz != second.labels_xyz).any()
    written = nib.load(session.write(first, tmp_path / "out"))
    np.testing.assert_array_equal(np.asarray(written.dataobj), first.labels_xyz)


def test_a_folder_of_several_cases_is_no_case(tmp_path, tumour_submission, make_case, glioma):
    session = segcube.load_submission(tumour_submission, device="cpu")
    for n in (1, 2):
        make_case(tmp_path / "data", glioma, f"BraTS-GLI-0000{n}-000")
    with pytest.raises(UsageError, match="holds 2 cases"):
        session.predict(tmp_path / "data")


def test_a_bad_case_raises_its_reason(tmp_path, tumour_submission, make_case, glioma):
    session = segcube.load_submission(tumour_submission, device="cpu")
    folder = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    next(folder.glob("*t1c*")).unlink()
    with pytest.raises(CaseError, match="t1c"):
        session.predict(folder)


def test_a_session_takes_a_preset(tumour_submission, capsys):
    session = segcube.load_submission(tumour_submission, device="cpu", preset="fast")
    assert len(session.models.loaded.submission.members) == 1
    assert "preset fast: 1 of 2 members" in capsys.readouterr().err


def test_an_unknown_setting_is_named(tumour_submission):
    with pytest.raises(UsageError, match="devise"):
        segcube.load_submission(tumour_submission, devise="cpu")
