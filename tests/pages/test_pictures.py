from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from matplotlib.image import imread

from segcube.core import CaseError, Code, UsageError
from segcube.pages import draw_folder

NAMES = ("BraTS-GLI-00001-000", "BraTS-GLI-00002-000", "BraTS-GLI-00003-000")


@pytest.fixture
def folders(tmp_path, make_case, glioma):
    """Three cases with a label map each."""
    (tmp_path / "maps").mkdir()
    for name in NAMES:
        make_case(tmp_path / "data", glioma, name)
        save_map(tmp_path / "maps" / f"{name}.nii.gz", tmp_path / "data" / name / f"{name}-t1c.nii.gz")
    return tmp_path


def save_map(file, reference, shape=None, shift=0.0, label=1) -> None:
    image = nib.load(reference)
    labels_xyz = np.zeros(shape or image.shape, dtype=np.uint8)
    labels_xyz[3:6, 3:6, 3:6] = label
    affine = image.affine.copy()
    affine[0, 3] += shift
    nib.save(nib.Nifti1Image(labels_xyz, affine), file)


def draw(folders, challenge):
    """The names of the cases drawn, the reason code of each failed case, and the cases without a map."""
    found = dict(draw_folder(folders / "data", folders / "maps", challenge, folders / "pictures"))
    drawn = [name for name, outcome in found.items() if isinstance(outcome, Path)]
    assert sorted(file.stem for file in (folders / "pictures").glob("*")) == drawn
    failed = {name: error.code for name, error in found.items() if isinstance(error, CaseError)}
    return drawn, failed, [name for name, outcome in found.items() if outcome is None]


def test_each_case_with_a_map_has_a_picture(folders, glioma):
    (folders / "maps" / f"{NAMES[2]}.nii.gz").unlink()
    assert draw(folders, glioma) == ([*NAMES[:2]], {}, [NAMES[2]])
    assert (folders / "pictures" / f"{NAMES[0]}.png").read_bytes().startswith(b"\x89PNG")


def test_reference_labels_have_a_column_of_their_own(folders, glioma):
    def width(**options) -> int:
        found = dict(draw_folder(folders / "data", folders / "maps", glioma, folders / "pictures", **options))
        return imread(found[NAMES[0]]).shape[1]

    assert width(ref=folders / "maps") * 4 == width() * 5


def test_expert_labels_are_drawn_by_their_own_names(folders, glioma):
    for name in NAMES:
        (folders / "maps" / f"{name}.nii.gz").rename(folders / "maps" / f"{name}-seg.nii.gz")
    assert draw(folders, glioma) == ([*NAMES], {}, [])


def test_labels_that_the_challenge_does_not_have_are_reported(folders, glioma, caplog):
    file = folders / "maps" / f"{NAMES[1]}.nii.gz"
    save_map(file, folders / "data" / NAMES[1] / f"{NAMES[1]}-t1c.nii.gz", label=7)
    assert draw(folders, glioma) == ([*NAMES], {}, [])
    assert caplog.messages == [f"{file}: labels 7 are not labels of the challenge; not drawn"]


def spoil_map(folders):
    (folders / "maps" / f"{NAMES[1]}.nii.gz").write_bytes(b"no map")


def spoil_channel(folders):
    file = folders / "data" / NAMES[1] / f"{NAMES[1]}-t2w.nii.gz"
    file.write_bytes(file.read_bytes()[:-20])


def remove_channel(folders):
    (folders / "data" / NAMES[1] / f"{NAMES[1]}-t2w.nii.gz").unlink()


def crop_map(folders):
    file = folders / "maps" / f"{NAMES[1]}.nii.gz"
    save_map(file, folders / "data" / NAMES[1] / f"{NAMES[1]}-t1c.nii.gz", shape=(7, 7, 7))


def move_map(folders):
    file = folders / "maps" / f"{NAMES[1]}.nii.gz"
    save_map(file, folders / "data" / NAMES[1] / f"{NAMES[1]}-t1c.nii.gz", shift=5.0)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_map, Code.NOT_NIFTI),
        (spoil_channel, Code.TRUNCATED),
        (remove_channel, Code.MISSING_MODALITY),
        (crop_map, Code.SHAPE_MISMATCH),
        (move_map, Code.AFFINE_MISMATCH),
    ],
)
def test_a_bad_case_fails_alone(folders, glioma, spoil, reason):
    spoil(folders)
    assert draw(folders, glioma) == ([NAMES[0], NAMES[2]], {NAMES[1]: reason}, [])


def test_a_folder_without_maps_is_refused(folders, glioma):
    for file in (folders / "maps").iterdir():
        file.unlink()
    with pytest.raises(UsageError, match="no label map"):
        draw(folders, glioma)


def test_maps_that_are_no_folder_are_refused(folders, glioma):
    with pytest.raises(UsageError, match="no such folder"):
        dict(draw_folder(folders / "data", folders / "none", glioma, folders / "pictures"))
