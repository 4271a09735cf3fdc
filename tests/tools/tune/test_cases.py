import numpy as np
import pytest

from segcube.tools.tune.cases import CaseFiles, CaseLimits, read_case


def read(folder, reference, members=(), floor=0.1, margin=2):
    """Read `case` with the files of some members, whose weights are 1."""
    files = CaseFiles(
        tuple(folder / f"case{member}.npz" for member in members), reference, folder / "case.npz"
    )
    return read_case("case", files, ((1.0,) * 3,) * len(members), CaseLimits(floor, margin))


@pytest.fixture
def written(save, save_labels, tmp_path):
    """A case whose lesion and probabilities are apart."""
    volume_kxyz, labels_xyz = np.zeros((3, 30, 20, 20), np.float32), np.zeros((30, 20, 20))
    volume_kxyz[1] = 0.01
    volume_kxyz[1, 12:15, 8:10, 8:10] = 0.4
    labels_xyz[18, 9, 9] = 2
    save(tmp_path / "case.npz", volume_kxyz, affine=np.diag([1, 1, 3, 1]))
    return save_labels(tmp_path / "case-seg.nii.gz", labels_xyz, np.diag([1, 1, 3, 1]))


def test_a_case_is_cropped_to_all_possible_lesions(written, tmp_path):
    case = read(tmp_path, written)
    # x 12 to 18, y and z 8 to 9, and two voxels around
    assert case.reference_xyz.shape == (11, 6, 6)
    assert case.merged_kxyz.shape == (3, 11, 6, 6)
    assert case.merged_kxyz[1, 2, 2, 2] == np.float32(0.4)
    assert case.reference_xyz[8, 3, 3] == 2
    assert case.spacing == (1, 1, 3)


def test_probabilities_below_the_lowest_threshold_are_cropped(save, save_labels, tmp_path):
    save(tmp_path / "case.npz", np.full((3, 9, 8, 7), 0.05))
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    assert read(tmp_path, file).reference_xyz.shape == (1, 1, 1)
    assert read(tmp_path, file, floor=0.0).reference_xyz.shape == (9, 8, 7)


def test_members_are_stacked(save, save_labels, tmp_path):
    for member, value in (("", 0.4), (".a", 0.2), (".b", 0.6)):
        save(tmp_path / f"case{member}.npz", np.full((3, 9, 8, 7), value))
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    case = read(tmp_path, file, (".a", ".b"))
    assert case.members_mkxyz[:, 0, 0, 0, 0] == pytest.approx([0.2, 0.6], abs=1e-3)


def test_labels_are_cropped_to_where_a_mean_of_members_may_be_foreground(save, save_labels, tmp_path):
    for member, foreground in (("", 0.45), (".a", 0.3), (".b", 0.6)):
        volume_kxyz = np.zeros((2, 9, 8, 7))
        volume_kxyz[1, 4, 4, 4], volume_kxyz[1, 6, 6, 6] = foreground, 0.2
        volume_kxyz[0] = 1 - volume_kxyz[1]
        save(tmp_path / f"case{member}.npz", volume_kxyz, ("background", "LA"), "labels")
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    case = read(tmp_path, file, (".a", ".b"), margin=0)
    assert case.reference_xyz.shape == (1, 1, 1)
    assert case.members_mkxyz[1, 1, 0, 0, 0] == pytest.approx(0.6, abs=1e-3)
