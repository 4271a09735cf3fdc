import numpy as np
import pytest

from segcube.core import Box, CaseError
from segcube.tools.tune.saved import read_saved


@pytest.fixture
def volume_kxyz():
    volume_kxyz = np.zeros((3, 8, 7, 6), np.float16)
    volume_kxyz[1, 2:5, 3:6, 1:4] = 0.25
    return volume_kxyz


@pytest.mark.parametrize(
    "frame",
    [
        Box((0, 0, 0), (8, 7, 6)),
        Box((3, 4, 2), (8, 7, 6)),
        Box((3, 4, 2), (4, 5, 3)),
        Box((0, 0, 4), (8, 7, 6)),
    ],
    ids=["all of it", "a part of it", "inside it", "beside it"],
)
def test_any_box_is_cut_out_as_from_the_whole_volume(save, tmp_path, volume_kxyz, frame):
    saved = read_saved(save(tmp_path / "case.npz", volume_kxyz))
    assert (saved.within(frame) == frame.apply(volume_kxyz)).all()


def test_outside_its_box_a_stage_of_labels_is_background(save, tmp_path):
    volume_kxyz = np.zeros((2, 8, 7, 6), np.float16)
    volume_kxyz[0] = 1
    volume_kxyz[:, 3, 3, 3] = 0.5
    saved = read_saved(save(tmp_path / "case.npz", volume_kxyz, ("background", "LA"), "labels"))
    assert saved.box.shape == (1, 1, 1)
    assert (saved.within(Box((0, 0, 0), (8, 7, 6))) == volume_kxyz).all()


def test_a_stage_that_found_nothing_is_read(save, tmp_path):
    saved = read_saved(save(tmp_path / "case.npz", np.zeros((3, 8, 7, 6))))
    assert not saved.within(Box((0, 0, 0), (8, 7, 6))).any()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_what_is_no_saved_file_is_refused(tmp_path, content):
    file = tmp_path / "case.npz"
    file.write_bytes(content)
    with pytest.raises(CaseError, match=r"case\.npz.*save-probabilities"):
        read_saved(file)


def test_an_archive_without_the_keys_is_refused(tmp_path):
    np.savez(tmp_path / "case.npz", other=np.zeros(3))
    with pytest.raises(CaseError, match="KeyError"):
        read_saved(tmp_path / "case.npz")
