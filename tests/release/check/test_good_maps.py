from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from segcube.core import Case, Prediction
from segcube.formats.nifti import describe_origin, read_volume, write_label_map
from segcube.release.check import check_output
from segcube.spec.challenges import load_challenge

from .label_maps import (
    BAD,
    NAMES,
    Folders,
    codes,
    labels_like,
    reference,
    rewrite,
    write_data,
    write_image,
    write_map,
    write_valid_maps,
)

KEY = "brats2023-gli"
OBLIQUE = np.array([[-0.8, 0.6, 0, 1.1], [-0.6, -0.8, 0, 2.2], [0, 0, 2.5, 3.3], [0, 0, 0, 1]])


def cases_of(key: str, folder: Path, names: tuple[str, ...], affine) -> None:
    """Cases of a challenge, a reference image in each channel."""
    challenge = load_challenge(key)
    for seed, name in enumerate(names):
        place = folder / name if challenge.layout == "folders" else folder
        for channel in challenge.channels:
            write_image(place / f"{name}{channel.suffixes[0]}.nii.gz", seed, affine)


def by_header(image, labels_xyz, file: Path) -> None:
    write_map(file, labels_xyz, image)


def by_nibabel(image, labels_xyz, file: Path) -> None:
    header = image.header.copy()
    header.set_data_dtype(np.uint8)
    nib.save(nib.Nifti1Image(labels_xyz, image.affine, header), file)


def by_simpleitk(image, labels_xyz, file: Path) -> None:
    """Both codes 1, the affine rounded a little, no unit of time."""
    noise = np.random.default_rng(0).uniform(-0.9e-3, 0.9e-3, (3, 4))
    rows = dict(zip(("srow_x", "srow_y", "srow_z"), image.affine[:3] + noise, strict=True))
    write_map(file, labels_xyz, image, sform_code=1, qform_code=1, xyzt_units=2, **rows)


def by_segcube(image, labels_xyz, file: Path) -> None:
    case = Case("a", {"t1c": Path(image.get_filename())}, "t1c")
    volume = read_volume(case, ["t1c"])
    origin = describe_origin("1", "test", labels_xyz)
    write_label_map(Prediction(case, labels_xyz, volume.grid, volume.forms), file, origin)


STRAIGHT = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("key", "names", "write", "affine"),
    [
        ("brats2023-gli", NAMES, by_header, STRAIGHT),
        ("brats2023-gli", NAMES, by_nibabel, OBLIQUE),
        ("brats2023-gli", NAMES, by_simpleitk, OBLIQUE),
        ("brats2023-gli", NAMES, by_segcube, OBLIQUE),
        ("brats2021-gli", ("BraTS2021_00001", "BraTS2021_00002"), by_header, OBLIQUE),
        ("brats2024-men-rt", ("BraTS-MEN-RT-0001-1", "BraTS-MEN-RT-0012-1"), by_header, OBLIQUE),
        ("brats2024-goat", ("BraTS-GoAT-00001", "BraTS-GoAT-00012"), by_header, OBLIQUE),
        ("brats2024-goat", ("BraTS-GLI-00000-000",), by_header, OBLIQUE),
        ("brats2026-met", ("BraTS-MET-00001-000", "BraTS-MET-00002"), by_header, OBLIQUE),
        ("mbas2024", ("MBAS_001", "MBAS_002", "MBAS_003"), by_segcube, OBLIQUE),
    ],
)
def test_valid_maps_have_no_findings(tmp_path, write, key, names, affine):
    data, maps = tmp_path / "data", tmp_path / "maps"
    challenge = load_challenge(key)
    cases_of(key, data, names, affine)
    maps.mkdir()
    values = [value for value in challenge.labels.values() if value]
    suffix = next(c for c in challenge.channels if c.name == challenge.reference).suffixes[0]
    for seed, name in enumerate(names):
        (file,) = data.rglob(f"{name}{suffix}.nii.gz")
        image = nib.load(file)
        write(image, labels_like(image, seed, values), maps / challenge.output_name(name))
    assert check_output(maps, data, key).findings == ()


def test_an_unnecessarily_wide_type_is_only_a_warning(maps, data):
    rewrite(Folders(maps, data), lambda labels_xyz: labels_xyz.astype(np.int16))
    report = check_output(maps, data, KEY)
    assert codes(report) == {"WIDE_TYPE"}
    assert (report.exit_code(), report.exit_code(strict=True)) == (0, 3)


def test_forms_that_differ_in_the_scan_may_differ_in_the_map(tmp_path):
    write_data(tmp_path / "data", NAMES[:1])
    file = tmp_path / "data" / BAD / f"{BAD}-t1c.nii.gz"
    image = nib.load(file)
    image.header["qoffset_y"] = 40
    (tmp_path / "maps").mkdir()
    write_map(file, np.asarray(image.dataobj), image)
    image = reference(tmp_path / "data")
    write_map(tmp_path / "maps" / f"{BAD}.nii.gz", labels_like(image, 0), image)
    assert check_output(tmp_path / "maps", tmp_path / "data", KEY).findings == ()


def test_the_same_case_twice_may_have_the_same_map(tmp_path):
    data, maps = tmp_path / "data", tmp_path / "maps"
    write_data(data, NAMES[:1])
    twin = data / NAMES[1]
    twin.mkdir()
    for file in (data / NAMES[0]).iterdir():
        (twin / file.name.replace(NAMES[0], NAMES[1])).write_bytes(file.read_bytes())
    write_valid_maps(maps, data, NAMES[:2])
    write_map(maps / f"{NAMES[1]}.nii.gz", labels_like(reference(data), 0), reference(data))
    assert check_output(maps, data, KEY).findings == ()
