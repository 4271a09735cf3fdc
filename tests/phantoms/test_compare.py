import json

import nibabel as nib
import numpy as np
import pytest

from segcube.core import UsageError
from segcube.phantoms import PhantomSet, compare_folder, draw_comparison, write_phantoms
from segcube.phantoms.chart import _title
from segcube.phantoms.compare import Comparison, annotated
from segcube.phantoms.measure import Quantity

from .test_cases import coarse

ATRIA = coarse("mbas2024", 8)
BLOOD = Quantity("size", "LA mL")


@pytest.fixture
def folder(tmp_path):
    """Two phantoms as scans."""
    write_phantoms(PhantomSet(ATRIA, 2, 3), tmp_path)
    return tmp_path


def compare(folder, count=2):
    return compare_folder(folder / "data", folder / "labels", ATRIA, count, 3)


def test_phantoms_agree_with_themselves(folder):
    found = compare(folder)
    assert found.scans == found.phantoms
    assert {row.quantity.part for row in found.rows} >= {"wall", "RA", "LA mL", "box without blood"}
    assert all(row.is_within and row.overlaps for row in found.rows)


def test_labels_that_no_scan_has_are_background_in_phantoms_too(folder):
    for file in (folder / "labels").iterdir():
        image = nib.load(file)
        labels = np.asarray(image.dataobj).copy()
        labels[labels != ATRIA.labels["LA"]] = 0
        nib.save(nib.Nifti1Image(labels, image.affine), file)
    known = annotated(ATRIA, sorted((folder / "labels").iterdir()))
    assert list(known.labels) == ["background", "LA"]
    assert list(known.regions) == ["LA"]
    found = compare(folder)
    assert found.scans == found.phantoms
    assert not any("wall" in quantity.part for values in found.phantoms.values() for quantity in values)


def test_a_bad_label_map_costs_only_its_case(folder):
    (folder / "labels" / "MBAS_002_label.nii.gz").write_bytes(b"no map")
    found = compare(folder, 1)
    assert list(found.scans) == ["MBAS_001"]
    assert list(found.problems) == ["MBAS_002"]


def test_labels_on_another_grid_are_refused(folder):
    file = folder / "labels" / "MBAS_002_label.nii.gz"
    labels = np.asarray(nib.load(file).dataobj)
    nib.save(nib.Nifti1Image(labels, np.eye(4)), file)
    assert "another grid" in compare(folder, 1).problems["MBAS_002"]


def test_a_folder_without_labels_is_refused(folder):
    with pytest.raises(UsageError, match="no case with labels"):
        compare_folder(folder / "data", folder / "data", ATRIA, 1, 0)


def of(real, synthetic):
    """The one row of a comparison of these values."""
    scans, phantoms = ({str(value): {BLOOD: value} for value in values} for values in (real, synthetic))
    (row,) = Comparison("key", 0, scans, phantoms, {}).rows
    return row


@pytest.mark.parametrize(
    ("real", "synthetic", "verdicts"),
    [
        ([1, 2, 3], [1, 2, 3], (True, True)),
        ([3, 4, 5], [1, 2, 3], (False, True)),
        ([4, 5], [1, 2, 3], (False, False)),
        ([1, 2], [], (False, False)),
    ],
)
def test_verdicts_are_of_the_median_and_of_the_ranges(real, synthetic, verdicts):
    row = of(real, synthetic)
    assert (row.is_within, row.overlaps) == verdicts


def test_json_has_the_rows_and_the_values_of_each_case():
    found = Comparison("key", 7, {"a": {BLOOD: 2.0}}, {"b": {BLOOD: 3.0}}, {"c": "no map"})
    content = json.loads(found.as_json())
    (row,) = content["rows"]
    assert (row["group"], row["part"], row["channel"]) == BLOOD
    assert (row["scans"]["median"], row["phantoms"]["median"], row["within"]) == (2, 3, False)
    assert content["cases"]["scans"] == {"a": [[*BLOOD, 2.0]]}
    assert (content["seed"], content["problems"]) == (7, {"c": "no map"})


def test_the_chart_is_a_png():
    found = Comparison("key", 7, {"a": {BLOOD: 2.0}}, {}, {})
    assert draw_comparison(found).startswith(b"\x89PNG")


def test_quantities_of_another_unit_or_size_have_a_plot_of_their_own():
    quantities = [BLOOD, Quantity("size", "LA x mm"), Quantity("size", "brain mL")]
    quantities += [Quantity("composition", "LA share"), Quantity("composition", "components")]
    assert len({_title(quantity) for quantity in quantities}) == 5


def test_labels_of_another_challenge_are_refused_not_left_out(folder):
    file = folder / "labels" / "MBAS_002_label.nii.gz"
    image = nib.load(file)
    labels = np.asarray(image.dataobj).copy()
    labels[labels == ATRIA.labels["LA"]] = 9
    nib.save(nib.Nifti1Image(labels, image.affine), file)
    found = compare(folder, 1)
    assert list(found.scans) == ["MBAS_001"]
    assert "unknown labels 9" in found.problems["MBAS_002"]


def test_a_case_without_labels_is_reported(folder):
    (folder / "labels" / "MBAS_002_label.nii.gz").unlink()
    found = compare(folder, 1)
    assert list(found.scans) == ["MBAS_001"]
    assert "no labels" in found.problems["MBAS_002"]


def test_an_error_names_the_channel_that_all_cases_miss(tmp_path):
    glioma = coarse("brats2023-gli", 8)
    write_phantoms(PhantomSet(glioma, 1, 3), tmp_path)
    (tmp_path / "data" / "BraTS-GLI-00001-000" / "BraTS-GLI-00001-000-t1n.nii.gz").unlink()
    with pytest.raises(UsageError, match="t1n"):
        compare_folder(tmp_path / "data", tmp_path / "labels", glioma, 1, 0)
