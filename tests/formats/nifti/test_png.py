import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from segcube.core import Case, CaseError, Code, Grid, UsageError
from segcube.formats.nifti import read_grid, read_header_of, read_labels, read_volume
from segcube.formats.nifti.png import png_of_labels

PIXELS = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)


def written(folder, pixels, name="a.png"):
    file = folder / name
    Image.fromarray(pixels).save(file)
    return file


def test_columns_are_x_and_rows_y(tmp_path):
    labels_xyz, grid, description = read_labels(written(tmp_path, PIXELS))
    assert labels_xyz.dtype == np.uint8
    np.testing.assert_array_equal(labels_xyz[:, :, 0], PIXELS.T)
    assert (grid.shape, grid.spacing, description) == ((3, 2, 1), (1.0, 1.0, 1.0), "")


def test_sixteen_bits(tmp_path):
    pixels = PIXELS.astype(np.uint16) * 257
    labels_xyz, _, _ = read_labels(written(tmp_path, pixels))
    np.testing.assert_array_equal(labels_xyz[:, :, 0], pixels.T)


def test_a_black_and_white_image_has_values_0_and_1(tmp_path):
    Image.fromarray(PIXELS > 2).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png")[0][:, :, 0], (PIXELS > 2).T)


def test_labels_of_a_palette_are_its_indices(tmp_path):
    image = Image.fromarray(PIXELS % 3, "P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png")[0][:, :, 0], (PIXELS % 3).T)


def test_channels_are_components_of_one_file(tmp_path):
    pixels = np.stack([PIXELS, PIXELS + 10, PIXELS + 20], axis=-1)
    file = written(tmp_path, pixels)
    case = Case("a", {"R": file, "B": file}, "R", {"R": 0, "B": 2})
    red_xyz, blue_xyz = read_volume(case, ("R", "B")).voxels
    np.testing.assert_array_equal(red_xyz[:, :, 0], PIXELS.T)
    np.testing.assert_array_equal(blue_xyz[:, :, 0], (PIXELS + 20).T)
    assert read_grid(file)[0].shape == (3, 2, 1)


def test_a_label_map_of_colours_is_refused(tmp_path):
    file = written(tmp_path, np.stack([PIXELS] * 3, axis=-1))
    with pytest.raises(CaseError, match="has 3 components; expected one; save the label values") as caught:
        read_labels(file)
    assert caught.value.code is Code.NDIM


def palette(folder):
    image = Image.fromarray(PIXELS % 3, "P")
    image.putpalette([0, 0, 9, 255, 0, 0, 0, 200, 0])
    image.save(folder / "a.png")
    return folder / "a.png"


def test_colours_of_a_palette_are_components_of_an_image(tmp_path):
    case = Case("a", {"G": palette(tmp_path)}, "G", {"G": 1})
    (green_xyz,) = read_volume(case, ("G",)).voxels
    np.testing.assert_array_equal(green_xyz[:, :, 0], np.array([0, 0, 200])[PIXELS % 3].T)


def test_an_image_of_grey_values_has_no_palette(tmp_path):
    case = Case("a", {"grey": palette(tmp_path)}, "grey")
    with pytest.raises(CaseError, match="has a palette of colours; expected an image of grey values"):
        read_volume(case, ("grey",))


def test_an_image_of_several_components_needs_one_of_them(tmp_path):
    case = Case("a", {"grey": written(tmp_path, np.stack([PIXELS] * 3, axis=-1))}, "grey")
    with pytest.raises(CaseError, match="has 3 components; expected one; set `component` of the channels"):
        read_volume(case, ("grey",))


def chunk(kind, content):
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def packed(folder, depth, colour, rows):
    """A PNG of rows of bytes, which has a single row or two."""
    width = 2
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    content = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return folder / "a.png"


def test_colours_of_sixteen_bits_are_refused(tmp_path):
    file = packed(tmp_path, 16, 2, [bytes(range(12))])
    with pytest.raises(CaseError, match="colours of 16 bits a component; expected 8") as caught:
        read_volume(Case("a", {"R": file}, "R", {"R": 0}), ("R",))
    assert caught.value.code is Code.BAD_DTYPE


@pytest.mark.parametrize(("depth", "row", "values"), [(2, 0b01_10_0000, (1, 2)), (4, 0x3F, (3, 15))])
def test_labels_of_few_bits_are_those_that_were_stored(depth, row, values, tmp_path):
    labels_xyz, _, _ = read_labels(packed(tmp_path, depth, 0, [bytes([row])]))
    assert labels_xyz[:, 0, 0].tolist() == list(values)


def test_an_animation_is_refused(tmp_path):
    first, second = Image.fromarray(PIXELS), Image.fromarray(PIXELS + 1)
    first.save(tmp_path / "a.png", save_all=True, append_images=[second])
    with pytest.raises(CaseError, match="is an animation of 2 images; expected one image"):
        read_labels(tmp_path / "a.png")


def test_a_component_that_the_file_lacks_is_refused(tmp_path):
    case = Case("a", {"B": written(tmp_path, PIXELS)}, "B", {"B": 2})
    with pytest.raises(CaseError, match="has 1 component; expected component 2"):
        read_volume(case, ("B",))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "has 0 bytes"), (b"no image", "is no PNG image"), (None, "cannot be decoded: .*; copy it again")],
)
def test_a_damaged_image_is_refused(tmp_path, content, message):
    file = written(tmp_path, np.tile(PIXELS, (20, 20)))
    file.write_bytes(file.read_bytes()[:-30] if content is None else content)
    with pytest.raises(CaseError, match=message) as caught:
        read_labels(file)
    assert caught.value.code in (Code.CORRUPT, Code.EMPTY_FILE)


def test_a_map_is_read_back_with_its_description(tmp_path):
    labels_xyz = np.arange(6, dtype=np.uint8).reshape(3, 2, 1)
    content = png_of_labels(labels_xyz, "segcube 1 abc")
    assert content == png_of_labels(labels_xyz, "segcube 1 abc")
    file = tmp_path / "a.png"
    file.write_bytes(content)
    found_xyz, _, description = read_labels(file)
    np.testing.assert_array_equal(found_xyz, labels_xyz)
    assert description == "segcube 1 abc"
    assert read_header_of(file).description == description


def test_several_slices_are_refused():
    with pytest.raises(UsageError, match="a label map of 2 slices as PNG; expected one slice"):
        png_of_labels(np.zeros((3, 3, 2), np.uint8), "")


def test_images_of_different_sizes_are_refused(tmp_path):
    one, two = written(tmp_path, PIXELS), written(tmp_path, PIXELS.T, name="b.png")
    with pytest.raises(CaseError) as caught:
        read_volume(Case("a", {"x": one, "y": two}, "x"), ("x", "y"))
    assert caught.value.code is Code.SHAPE_MISMATCH


def test_the_grid_has_an_affine(tmp_path):
    grid = read_grid(written(tmp_path, PIXELS))[0]
    assert isinstance(grid, Grid)
    np.testing.assert_array_equal(np.diag(grid.affine), [-1, -1, 1, 1])
