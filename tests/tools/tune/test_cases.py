import numpy as np
import pytest

from segcube.core import CaseError
from segcube.tools.tune.cases import Reading, find_saved, read_case, read_cases

MERGED = Reading((), (), floor=0.1, margin=2)


@pytest.fixture
def written(save, save_labels, tmp_path):
    """A case whose lesion and whose probabilities lie apart."""
    volume_kxyz, labels_xyz = np.zeros((3, 30, 20, 20), np.float32), np.zeros((30, 20, 20))
    volume_kxyz[1] = 0.01
    volume_kxyz[1, 12:15, 8:10, 8:10] = 0.4
    labels_xyz[18, 9, 9] = 2
    save(tmp_path / "case.npz", volume_kxyz, affine=np.diag([1, 1, 3, 1]))
    return save_labels(tmp_path / "case-seg.nii.gz", labels_xyz, np.diag([1, 1, 3, 1]))


def test_a_case_is_cut_to_what_can_matter(written, tmp_path):
    case = read_case("case", tmp_path, written, MERGED)
    # x 12 to 18, y and z 8 to 9, and two voxels around
    assert case.reference_xyz.shape == (11, 6, 6)
    assert case.merged_kxyz.shape == (3, 11, 6, 6)
    assert case.merged_kxyz[1, 2, 2, 2] == np.float32(0.4)
    assert case.reference_xyz[8, 3, 3] == 2
    assert case.spacing == (1, 1, 3)


def test_below_the_floor_of_the_search_nothing_matters(save, save_labels, tmp_path):
    save(tmp_path / "case.npz", np.full((3, 9, 8, 7), 0.05))
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    assert read_case("case", tmp_path, file, MERGED).reference_xyz.shape == (1, 1, 1)
    lower = Reading((), (), floor=0.0, margin=2)
    assert read_case("case", tmp_path, file, lower).reference_xyz.shape == (9, 8, 7)


def test_members_stand_side_by_side(save, save_labels, tmp_path):
    for member, value in (("", 0.4), (".a", 0.2), (".b", 0.6)):
        save(tmp_path / f"case{member}.npz", np.full((3, 9, 8, 7), value))
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    case = read_case("case", tmp_path, file, Reading((".a", ".b"), ((1.0,) * 3,) * 2, 0.1, 1))
    assert case.members_mkxyz[:, 0, 0, 0, 0] == pytest.approx([0.2, 0.6], abs=1e-3)


def test_labels_are_cut_where_a_mean_of_members_may_be_foreground(save, save_labels, tmp_path):
    for member, foreground in (("", 0.45), (".a", 0.3), (".b", 0.6)):
        volume_kxyz = np.zeros((2, 9, 8, 7))
        volume_kxyz[1, 4, 4, 4], volume_kxyz[1, 6, 6, 6] = foreground, 0.2
        volume_kxyz[0] = 1 - volume_kxyz[1]
        save(tmp_path / f"case{member}.npz", volume_kxyz, ("background", "LA"), "labels")
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    case = read_case("case", tmp_path, file, Reading((".a", ".b"), ((1.0,) * 2,) * 2, 0.1, 0))
    assert case.reference_xyz.shape == (1, 1, 1)
    assert case.members_mkxyz[1, 1, 0, 0, 0] == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize(
    ("shape", "affine", "told"),
    [((9, 8, 6), np.eye(4), "SHAPE_MISMATCH"), ((9, 8, 7), np.diag([2, 1, 1, 1]), "AFFINE_MISMATCH")],
)
def test_files_on_two_grids_are_refused(save, save_labels, tmp_path, shape, affine, told):
    save(tmp_path / "case.npz", np.full((3, 9, 8, 7), 0.4))
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros(shape), affine)
    with pytest.raises(CaseError) as caught:
        read_case("case", tmp_path, file, MERGED)
    assert str(caught.value.code) == told


def test_merged_probabilities_of_half_precision_are_refused(save, save_labels, tmp_path):
    save(tmp_path / "case.npz", np.full((3, 9, 8, 7), 0.4), dtype=np.float16)
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    with pytest.raises(CaseError, match=r"case\.npz: probabilities of float16; expected float32"):
        read_case("case", tmp_path, file, MERGED)


def test_a_member_just_above_the_floor_is_kept(save, save_labels, tmp_path):
    # float16(0.1) is 0.09998: what lies between the two is above the one and below the other
    just_above = np.nextafter(np.float16(0.1), np.float16(1), dtype=np.float16)
    save(tmp_path / "case.npz", np.zeros((3, 9, 8, 7)))
    for member in (".a", ".b"):
        volume_kxyz = np.zeros((3, 9, 8, 7))
        volume_kxyz[1, 4, 4, 4] = just_above
        save(tmp_path / f"case{member}.npz", volume_kxyz, dtype=np.float16)
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    reading = Reading((".a", ".b"), ((1.0,) * 3,) * 2, 0.1, 0)
    assert read_case("case", tmp_path, file, reading).members_mkxyz.max() == just_above


def test_a_broken_case_costs_itself_alone(save, save_labels, tmp_path):
    references = {}
    for name in ("sound", "broken"):
        save(tmp_path / f"{name}.npz", np.full((3, 9, 8, 7), 0.4))
        references[name] = save_labels(tmp_path / f"{name}-seg.nii.gz", np.zeros((9, 8, 7)))
    (tmp_path / "broken.npz").write_bytes(b"")
    cases, problems = read_cases(references, tmp_path, MERGED)
    assert [case.name for case in cases] == ["sound"]
    assert list(problems) == ["broken"]


def test_members_are_used_where_every_case_has_all_of_them(tmp_path):
    for name in ("one.a", "one.b", "two.a"):
        (tmp_path / f"{name}.npz").touch()
    assert find_saved(tmp_path, ["one"], ["a", "b"]) == (".a", ".b")
    assert find_saved(tmp_path, ["one", "two"], ["a", "b"]) == ()
    assert find_saved(tmp_path, ["one"], ["a"]) == ()
    assert find_saved(tmp_path, ["one"], []) == ()
