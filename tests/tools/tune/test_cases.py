import numpy as np
import pytest

from segcube.core import Box, CaseError
from segcube.tools.tune.cases import ReadOptions, find_member_files, read_case, read_cases, read_saved

MERGED = ReadOptions((), (), floor=0.1, margin=2)


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
    case = read_case("case", tmp_path, written, MERGED)
    # x 12 to 18, y and z 8 to 9, and two voxels around
    assert case.reference_xyz.shape == (11, 6, 6)
    assert case.merged_kxyz.shape == (3, 11, 6, 6)
    assert case.merged_kxyz[1, 2, 2, 2] == np.float32(0.4)
    assert case.reference_xyz[8, 3, 3] == 2
    assert case.spacing == (1, 1, 3)


def test_probabilities_below_the_lowest_threshold_are_cropped(save, save_labels, tmp_path):
    save(tmp_path / "case.npz", np.full((3, 9, 8, 7), 0.05))
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    assert read_case("case", tmp_path, file, MERGED).reference_xyz.shape == (1, 1, 1)
    lower = ReadOptions((), (), floor=0.0, margin=2)
    assert read_case("case", tmp_path, file, lower).reference_xyz.shape == (9, 8, 7)


def test_members_are_stacked(save, save_labels, tmp_path):
    for member, value in (("", 0.4), (".a", 0.2), (".b", 0.6)):
        save(tmp_path / f"case{member}.npz", np.full((3, 9, 8, 7), value))
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    case = read_case("case", tmp_path, file, ReadOptions((".a", ".b"), ((1.0,) * 3,) * 2, 0.1, 1))
    assert case.members_mkxyz[:, 0, 0, 0, 0] == pytest.approx([0.2, 0.6], abs=1e-3)


def test_labels_are_cropped_to_where_a_mean_of_members_may_be_foreground(save, save_labels, tmp_path):
    for member, foreground in (("", 0.45), (".a", 0.3), (".b", 0.6)):
        volume_kxyz = np.zeros((2, 9, 8, 7))
        volume_kxyz[1, 4, 4, 4], volume_kxyz[1, 6, 6, 6] = foreground, 0.2
        volume_kxyz[0] = 1 - volume_kxyz[1]
        save(tmp_path / f"case{member}.npz", volume_kxyz, ("background", "LA"), "labels")
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    case = read_case("case", tmp_path, file, ReadOptions((".a", ".b"), ((1.0,) * 2,) * 2, 0.1, 0))
    assert case.reference_xyz.shape == (1, 1, 1)
    assert case.members_mkxyz[1, 1, 0, 0, 0] == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize(
    ("shape", "affine", "code"),
    [((9, 8, 6), np.eye(4), "SHAPE_MISMATCH"), ((9, 8, 7), np.diag([2, 1, 1, 1]), "AFFINE_MISMATCH")],
)
def test_files_on_different_grids_are_refused(save, save_labels, tmp_path, shape, affine, code):
    save(tmp_path / "case.npz", np.full((3, 9, 8, 7), 0.4))
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros(shape), affine)
    with pytest.raises(CaseError) as caught:
        read_case("case", tmp_path, file, MERGED)
    assert str(caught.value.code) == code


def test_merged_probabilities_of_half_precision_are_refused(save, save_labels, tmp_path):
    save(tmp_path / "case.npz", np.full((3, 9, 8, 7), 0.4), dtype=np.float16)
    file = save_labels(tmp_path / "case-seg.nii.gz", np.zeros((9, 8, 7)))
    with pytest.raises(CaseError, match=r"case\.npz: .*float16; expected float32"):
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
    options = ReadOptions((".a", ".b"), ((1.0,) * 3,) * 2, 0.1, 0)
    assert read_case("case", tmp_path, file, options).members_mkxyz.max() == just_above


def test_a_broken_case_is_left_out_alone(save, save_labels, tmp_path):
    references = {}
    for name in ("sound", "broken"):
        save(tmp_path / f"{name}.npz", np.full((3, 9, 8, 7), 0.4))
        references[name] = save_labels(tmp_path / f"{name}-seg.nii.gz", np.zeros((9, 8, 7)))
    (tmp_path / "broken.npz").write_bytes(b"")
    cases, problems = read_cases(references, tmp_path, MERGED)
    assert [case.name for case in cases] == ["sound"]
    assert list(problems) == ["broken"]


def test_members_are_used_if_every_case_has_all_of_them(tmp_path):
    for name in ("one.a", "one.b", "two.a"):
        (tmp_path / f"{name}.npz").touch()
    assert find_member_files(tmp_path, ["one"], ["a", "b"]) == (".a", ".b")
    assert find_member_files(tmp_path, ["one", "two"], ["a", "b"]) == ()
    assert find_member_files(tmp_path, ["one"], ["a"]) == ()
    assert find_member_files(tmp_path, ["one"], []) == ()


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
def test_a_box_of_saved_probabilities_equals_that_of_the_whole_volume(save, tmp_path, volume_kxyz, frame):
    saved = read_saved(save(tmp_path / "case.npz", volume_kxyz))
    assert (saved.within(frame) == frame.apply(volume_kxyz)).all()


def test_labels_outside_the_saved_box_are_background(save, tmp_path):
    volume_kxyz = np.zeros((2, 8, 7, 6), np.float16)
    volume_kxyz[0] = 1
    volume_kxyz[:, 3, 3, 3] = 0.5
    saved = read_saved(save(tmp_path / "case.npz", volume_kxyz, ("background", "LA"), "labels"))
    assert saved.box.shape == (1, 1, 1)
    assert (saved.within(Box((0, 0, 0), (8, 7, 6))) == volume_kxyz).all()


def test_an_empty_box_is_read(save, tmp_path):
    saved = read_saved(save(tmp_path / "case.npz", np.zeros((3, 8, 7, 6))))
    assert not saved.within(Box((0, 0, 0), (8, 7, 6))).any()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_other_files_are_refused(tmp_path, content):
    file = tmp_path / "case.npz"
    file.write_bytes(content)
    with pytest.raises(CaseError, match=r"case\.npz.*save-probabilities"):
        read_saved(file)


def test_an_archive_without_the_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "case.npz", other=np.zeros(3))
    with pytest.raises(CaseError, match="KeyError"):
        read_saved(tmp_path / "case.npz")
