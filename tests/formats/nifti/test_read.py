"""The same voxels however they are stored; what differs between channels; label maps."""

from __future__ import annotations

import gzip
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest

from segcube.core import Case, CaseError, Code, Notice
from segcube.formats.nifti import read_labels, read_volume
from segcube.spec.challenges import load_challenge

from .conftest import AFFINE, SHAPE, encode, voxels

NAN, INF = float("nan"), float("inf")
PLAIN = voxels()
ONE_AXIS_MORE = PLAIN.reshape(*SHAPE, 1)
SHEAR = np.eye(4)
SHEAR[0, 1] = 0.01
OBLIQUE = np.array([[-0.8, 0.6, 0, 1], [-0.6, -0.8, 0, 2], [0, 0, -3, 3], [0, 0, 0, 1]])


def codes(notices: tuple[Notice, ...]) -> list[str]:
    return [str(notice.code) for notice in notices]


NIFTI2 = nib.Nifti2Header
STORED = {
    "type": [encode(PLAIN.astype(t)) for t in ("i2", "u1", "i1", "u2", "i4", "i8", "f4", "f8")],
    "byte order": [encode(PLAIN, order=">"), encode(PLAIN.astype("f8"), order=">")],
    "scale": [
        encode(PLAIN * 2 - 6, fields={"scl_slope": 0.5, "scl_inter": 3}),
        encode(PLAIN + 5, fields={"scl_slope": 1, "scl_inter": -5}),
        encode((PLAIN * 4).astype("u1"), order=">", fields={"scl_slope": 0.25}),
        encode(PLAIN, fields={"scl_slope": 0, "scl_inter": 7}),
        encode(PLAIN, fields={"scl_slope": NAN, "scl_inter": NAN}),
    ],
    "axes": [encode(ONE_AXIS_MORE), encode(PLAIN.reshape(*SHAPE, 1, 1, 1, 1))],
    "forms": [
        encode(PLAIN, fields={"sform_code": 0}),
        encode(PLAIN, fields={"qform_code": 0}),
        encode(PLAIN, OBLIQUE),
    ],
    "unused fields": [encode(PLAIN, fields={"vox_offset": 352, "intent_code": 1001, "cal_max": NAN})],
    "version": [encode(PLAIN, kind=NIFTI2), encode(PLAIN, kind=NIFTI2, order=">")],
}


@pytest.mark.parametrize("aspect", STORED)
def test_values_do_not_depend_on_the_storage(read_one, aspect):
    for content in STORED[aspect]:
        volume = read_one(content, "a.nii")
        assert volume.image_cxyz.dtype == np.float32
        np.testing.assert_array_equal(volume.image_cxyz[0], PLAIN.astype(np.float32))
        assert volume.notices == ()


def test_short_integers_keep_their_type(read_one):
    for dtype, order in (("u1", "<"), ("i2", "<"), ("i2", ">"), ("u2", "<")):
        image = np.abs(PLAIN).astype(dtype) % 100
        (channel_xyz,) = read_one(encode(image, order=order)).voxels
        assert channel_xyz.dtype == np.dtype(dtype)
        assert channel_xyz.dtype.isnative
        np.testing.assert_array_equal(channel_xyz, image)


def test_extensions_are_skipped(read_one):
    content = encode(PLAIN, fields={"vox_offset": 352 + 32})
    volume = read_one(
        content[:348] + b"\1\0\0\0" + b"\x20\0\0\0\6\0\0\0" + b"hello".ljust(24) + content[352:]
    )
    np.testing.assert_array_equal(volume.image_cxyz[0], PLAIN)


def test_gzip_members_are_concatenated(read_one):
    content = encode(PLAIN)
    for cuts in ([352], [360, 360], [1, 2, 3]):
        members = [gzip.compress(content[a:b]) for a, b in pairwise([0, *cuts, len(content)])]
        volume = read_one(b"".join(members), pack=False)
        np.testing.assert_array_equal(volume.image_cxyz[0], PLAIN)


def test_gzip_files_can_be_padded_with_zeros(read_one):
    volume = read_one(gzip.compress(encode(PLAIN)) + b"\0" * 512, pack=False)
    np.testing.assert_array_equal(volume.image_cxyz[0], PLAIN)


def test_a_large_image_is_read_in_pieces(read_one):
    image = np.random.default_rng(0).integers(-100, 100, (97, 101, 103)).astype(np.int16)
    np.testing.assert_array_equal(read_one(encode(image)).image_cxyz[0], image)


def test_any_shape_of_three_axes(read_one):
    for shape in ((3, 3, 2), (7, 240, 240), (1, 1, 2)):
        image = voxels(shape) % 1000
        np.testing.assert_array_equal(read_one(encode(image)).image_cxyz[0], image)


def shifted(mm: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[0, 3] += mm
    return affine


OTHER_GRIDS = {
    "AFFINE_MISMATCH": [
        encode(PLAIN, shifted(0.01)),
        encode(PLAIN, np.diag([1.0, -1, 1, 1])),
        encode(PLAIN, np.diag([-1.0, -1, 1.01, 1])),
        encode(PLAIN, fields={"sform_code": 0, "qform_code": 0}),
    ],
    "SHAPE_MISMATCH": [encode(voxels((4, 3, 3)))],
}


@pytest.mark.parametrize("code", OTHER_GRIDS)
def test_channels_on_different_grids_are_errors(make_pair, code):
    for second in OTHER_GRIDS[code]:
        with pytest.raises(CaseError) as caught:
            read_volume(make_pair(encode(PLAIN), second), ["t1", "t2"])
        assert str(caught.value.code) == code
        assert "t2.nii.gz" in str(caught.value)


def test_rounding_of_affines_is_not_a_mismatch(make_pair):
    volume = read_volume(make_pair(encode(PLAIN), encode(PLAIN, shifted(-9e-4))), ["t1", "t2"])
    np.testing.assert_array_equal(volume.grid.affine, AFFINE)


def test_channels_are_in_the_requested_order(make_pair):
    case = make_pair(encode(PLAIN), encode(PLAIN + 1))
    image_cxyz = read_volume(case, ["t2", "t1"]).image_cxyz
    np.testing.assert_array_equal(image_cxyz, np.stack([PLAIN + 1, PLAIN]))


def test_an_image_without_finite_voxels_is_an_error(read_one):
    with pytest.raises(CaseError) as caught:
        read_one(encode(np.full(SHAPE, NAN, np.float32)))
    assert caught.value.code == Code.NONFINITE


def with_voxel(value: float, dtype="f4") -> np.ndarray:
    image = PLAIN.astype(dtype)
    image[0, 0, 0] = value
    return image


UNUSUAL = {
    "NONFINITE": [encode(with_voxel(NAN)), encode(with_voxel(-INF))],
    "RANGE": [
        encode(with_voxel(2**24 + 1, "i4")),
        encode(with_voxel(-1e30)),
        encode(with_voxel(2**16, "i4")),
        encode(with_voxel(-(2**15) - 1, "i4")),
    ],
    "CONSTANT": [encode(np.full(SHAPE, 7, np.int16))],
    "QFORM_SFORM": [encode(PLAIN, fields={"qoffset_x": 5}), encode(PLAIN, fields={"quatern_b": 3})],
    "NO_FORM": [encode(PLAIN, fields={"sform_code": 0, "qform_code": 0})],
    "NOT_ORTHONORMAL": [encode(PLAIN, SHEAR, {"qform_code": 0})],
}


@pytest.mark.parametrize("code", UNUSUAL)
def test_unusual_images_give_notices(read_one, code):
    for content in UNUSUAL[code]:
        volume = read_one(content)
        assert codes(volume.notices) == [code]
        assert np.isfinite(volume.image_cxyz).all()


def test_all_16_bit_integers_are_usual(read_one):
    for image in (with_voxel(2**16 - 1, "u2"), with_voxel(-(2**15))):
        assert read_one(encode(image)).notices == ()


def test_voxels_that_are_not_finite_become_0(read_one):
    assert read_one(encode(with_voxel(INF) + 1)).image_cxyz[0, 0, 0, 0] == 0


def test_numbers_beyond_float32_are_reported_as_such(read_one):
    image = with_voxel(1e300, "f8")
    image[0, 0, 1] = NAN
    volume = read_one(encode(image))
    found = [notice.message for notice in volume.notices]
    assert found == ["t1: 1 voxels are not finite; using 0", "t1: 1 voxels are beyond float32; using 0"]
    assert (volume.image_cxyz[0, 0, 0, :2] == 0).all()
    with pytest.raises(CaseError, match="every voxel is beyond float32"):
        read_one(encode(np.full(SHAPE, 1e300)))


def test_a_notice_of_several_channels_is_given_once(make_pair):
    odd = encode(PLAIN, fields={"qoffset_x": 5})
    (notice,) = read_volume(make_pair(odd, odd), ["t1", "t2"]).notices
    assert notice == Notice(Code.QFORM_SFORM, "t1, t2: qform and sform differ; using the sform")


def test_grids_are_compared_with_the_challenge(make_pair):
    case = make_pair(encode(PLAIN), encode(PLAIN))
    assert read_volume(case, ["t1"]).notices == ()
    assert codes(read_volume(case, ["t1"], load_challenge("brats2023-gli")).notices) == ["GEOMETRY"]


@pytest.mark.parametrize(
    ("stored", "dtype"),
    [
        (PLAIN.astype("u1"), np.uint8),
        (PLAIN.astype("u2"), np.uint16),
        (PLAIN, np.uint8),
        (PLAIN.astype("f4"), np.uint8),
        (PLAIN.astype("f8") * 100, np.uint16),
        (PLAIN.astype("i8"), np.uint8),
    ],
)
def test_labels_are_read_as_unsigned_integers(tmp_path, stored, dtype):
    file = tmp_path / "a.nii.gz"
    for order in "<>":
        file.write_bytes(gzip.compress(encode(stored, order=order, fields={"descrip": b"made by hand"})))
        labels_xyz, grid, description = read_labels(file)
        assert labels_xyz.dtype == dtype
        assert labels_xyz.dtype.isnative
        np.testing.assert_array_equal(labels_xyz, stored)
        np.testing.assert_array_equal(grid.affine, AFFINE)
        assert description == "made by hand"


NO_LABELS = {
    "BAD_DTYPE": [
        encode(with_voxel(0.5)),
        encode(with_voxel(-1)),
        encode(PLAIN - 1),
        encode(with_voxel(1e30)),
        encode(PLAIN, fields={"scl_slope": 0.5}),
    ],
    "NONFINITE": [encode(with_voxel(NAN)), encode(with_voxel(INF))],
}


@pytest.mark.parametrize("code", NO_LABELS)
def test_other_values_than_labels_are_errors(tmp_path, code):
    file = tmp_path / "a.nii"
    for content in NO_LABELS[code]:
        file.write_bytes(content)
        with pytest.raises(CaseError) as caught:
            read_labels(file)
        assert str(caught.value.code) == code


def test_files_of_a_case_can_be_anywhere(tmp_path, read_one):
    sound = read_one(encode(PLAIN))
    link = tmp_path / "hallo 'du' \u6a5f" / "a.nii.gz"
    link.parent.mkdir()
    link.symlink_to(sound.case.files["t1"])
    again = read_volume(Case("a", {"t1": link}, "t1"), ["t1"])
    np.testing.assert_array_equal(again.image_cxyz, sound.image_cxyz)
