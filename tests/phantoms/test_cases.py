import nibabel as nib
import numpy as np
import pytest

from segcube.core import UsageError
from segcube.formats.nifti import describe_origin, foreign_files
from segcube.phantoms import SECOND, USUAL, PhantomSet, make_phantom, write_phantoms
from segcube.phantoms.cases import case_name, crop_phantom
from segcube.spec.challenges import Challenge, challenge_keys, load_challenge


def coarse(key, factor):
    """A challenge whose first grid has voxels `factor` times as long in the plane, and so far fewer."""
    challenge = load_challenge(key)
    usual = challenge.geometry.grids[0]
    shape = (usual.shape[0] // factor, usual.shape[1] // factor, usual.shape[2])
    spacing = (usual.spacing[0] * factor, usual.spacing[1] * factor, usual.spacing[2])
    grid = usual.model_copy(update={"shape": shape, "spacing": spacing})
    geometry = challenge.geometry.model_copy(update={"grids": (grid,)})
    return challenge.model_copy(update={"geometry": geometry})


CHALLENGES = [load_challenge(key) for key in challenge_keys()]
DIFFERENT = {(c.layout, c.channel_names, c.phantom, tuple(sorted(c.labels))): c.key for c in CHALLENGES}
"""One challenge of each layout, channels, kind of phantom and labels."""


@pytest.mark.parametrize("key", DIFFERENT.values())
def test_every_label_occurs_in_20_phantoms(key):
    challenge = load_challenge(key)
    expected, found = set(challenge.labels.values()), set()
    for index in range(20):
        phantom = make_phantom(challenge, 5, index, spacing_mm=4.0)
        assert challenge.is_case(phantom.case)
        found.update(np.unique(phantom.labels_xyz).tolist())
        if found == expected:
            break
    assert found == expected


def test_every_challenge_states_its_phantoms():
    assert all(challenge.phantom for challenge in CHALLENGES)


def test_without_a_kind_the_channels_choose():
    atria = load_challenge("mbas2024").model_copy(update={"phantom": None})
    glioma = load_challenge("brats2023-gli")
    unnamed = glioma.model_copy(update={"phantom": None})
    assert make_phantom(atria, 0, 0, 8.0).labels_xyz.any()
    np.testing.assert_array_equal(
        make_phantom(unnamed, 0, 0, 8.0).image_cxyz, make_phantom(glioma, 0, 0, 8.0).image_cxyz
    )


def test_a_spacing_keeps_the_field_of_view():
    phantom = make_phantom(load_challenge("brats2023-gli"), 0, 0, spacing_mm=2.0)
    assert phantom.labels_xyz.shape == (120, 120, 78)
    assert phantom.grid.spacing == (2, 2, 2)
    np.testing.assert_array_equal(phantom.grid.affine[:3, 3], [-0.5, 239 - 0.5, 0.5])


def test_a_spacing_may_differ_along_the_axes():
    phantom = make_phantom(load_challenge("mbas2024"), 0, 0, spacing_mm=(8.0, 8.0, 11.0))
    assert phantom.grid.spacing == (8.0, 8.0, 11.0)
    assert phantom.labels_xyz.shape[2] == 10


def test_the_affine_is_that_of_the_brats_atlas():
    phantom = make_phantom(coarse("brats2023-gli", 8), 0, 0)
    assert nib.aff2axcodes(phantom.grid.affine) == ("L", "P", "S")
    np.testing.assert_array_equal(phantom.grid.affine[:3, 3], [0, 29 * 8, 0])


def test_files_have_the_names_of_the_challenge(tmp_path):
    names = write_phantoms(PhantomSet(coarse("brats2023-gli", 8), 2, 1), tmp_path / "brats")
    assert names == ["BraTS-GLI-00001-000", "BraTS-GLI-00002-000"]
    written = {str(file.relative_to(tmp_path / "brats")) for file in tmp_path.rglob("*.nii.gz")}
    images = {
        f"data/{name}/{name}-{channel}.nii.gz" for name in names for channel in ("t1c", "t1n", "t2f", "t2w")
    }
    assert written == images | {f"labels/{name}.nii.gz" for name in names}


def test_atria_have_flat_folders(tmp_path):
    write_phantoms(PhantomSet(coarse("mbas2024", 8), 1, 1), tmp_path)
    written = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.nii.gz")}
    assert written == {"data/MBAS_001_gt.nii.gz", "labels/MBAS_001_label.nii.gz"}


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for folder, seed in (("first", 1), ("again", 1), ("other", 2)):
        write_phantoms(PhantomSet(coarse("brats2023-gli", 8), 1, seed), tmp_path / folder)
    contents = {
        folder: [file.read_bytes() for file in sorted((tmp_path / folder).rglob("*.nii.gz"))]
        for folder in ("first", "again", "other")
    }
    assert contents["first"] == contents["again"]
    assert contents["first"] != contents["other"]


def test_other_numbers_are_other_cases_and_replace_those_of_the_folder(tmp_path):
    challenge = coarse("mbas2024", 8)
    write_phantoms(PhantomSet(challenge, 3, 1), tmp_path)
    second = (tmp_path / "data" / "MBAS_002_gt.nii.gz").read_bytes()
    assert write_phantoms(PhantomSet(challenge, 1, 1, first=2), tmp_path) == ["MBAS_002"]
    (image,) = (tmp_path / "data").iterdir()
    assert (image.name, image.read_bytes()) == ("MBAS_002_gt.nii.gz", second)
    assert write_phantoms(PhantomSet(challenge, 1, 2, first=9), tmp_path) == ["MBAS_009"]
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["MBAS_009_gt.nii.gz"]
    with pytest.raises(UsageError, match="MBAS_1000 is no case of mbas2024; expected lower numbers"):
        write_phantoms(PhantomSet(challenge, 1, 1, first=1000), tmp_path)


def test_a_written_file_holds_the_case(tmp_path):
    challenge = coarse("brats2023-gli", 8)
    write_phantoms(PhantomSet(challenge, 1, 1), tmp_path)
    phantom = make_phantom(challenge, 1, 0)
    image = nib.load(tmp_path / "data" / phantom.case / f"{phantom.case}-t1n.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), phantom.image_cxyz[1])
    np.testing.assert_array_equal(image.affine, phantom.grid.affine)
    assert image.get_data_dtype() == np.int16
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)


def test_a_label_without_a_tissue_is_refused():
    content = load_challenge("brats2023-gli").model_dump()
    content["labels"]["bone"] = 9
    with pytest.raises(UsageError, match="bone"):
        make_phantom(Challenge.model_validate(content), 0, 0)


def test_a_crop_around_the_labels_keeps_its_position():
    phantom = make_phantom(coarse("brats2023-gli", 8), 5, 3)
    small = crop_phantom(phantom, 12)
    start = np.linalg.solve(phantom.grid.affine, small.grid.affine[:, 3])[:3].round().astype(int)
    box = tuple(slice(begin, begin + 12) for begin in start)
    np.testing.assert_array_equal(small.labels_xyz, phantom.labels_xyz[box])
    np.testing.assert_array_equal(small.image_cxyz, phantom.image_cxyz[(slice(None), *box)])
    assert small.labels_xyz.any()


def test_a_crop_is_no_larger_than_its_case():
    phantom = make_phantom(coarse("brats2023-gli", 8), 5, 3)
    assert crop_phantom(phantom, 1000).labels_xyz.shape == phantom.labels_xyz.shape


def test_phantoms_replace_phantoms_and_nothing_else(tmp_path):
    challenge = coarse("mbas2024", 8)
    write_phantoms(PhantomSet(challenge, 2, 1), tmp_path)
    write_phantoms(PhantomSet(challenge, 2, 2), tmp_path)
    image, labels = tmp_path / "data" / "MBAS_001_gt.nii.gz", tmp_path / "labels" / "MBAS_002_label.nii.gz"
    for file in (image, labels):
        file.write_bytes(b"a patient's")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.nii.gz")}
    with pytest.raises(UsageError, match=r"data/MBAS_001_gt\.nii\.gz, labels/MBAS_002_label\.nii\.gz"):
        write_phantoms(PhantomSet(challenge, 3, 3), tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.nii.gz")} == before


def test_phantoms_and_runs_never_replace_each_others_files(tmp_path):
    challenge = coarse("mbas2024", 8)
    write_phantoms(PhantomSet(challenge, 1, 1), tmp_path)
    labels = tmp_path / "labels" / "MBAS_001_label.nii.gz"
    assert foreign_files([labels]) == [labels]
    image = nib.load(labels)
    image.header["descrip"] = describe_origin("0.1.0", "f00d", np.asarray(image.dataobj)).encode()
    nib.save(image, labels)
    assert foreign_files([labels]) == []
    with pytest.raises(UsageError, match="MBAS_001_label"):
        write_phantoms(PhantomSet(challenge, 1, 1), tmp_path)


def test_each_case_is_reported_once_its_files_are_written(tmp_path):
    seen: list[tuple[str, int, int]] = []

    def on_case(case, total):
        seen.append((case, total, len(list((tmp_path / "labels").iterdir()))))

    write_phantoms(PhantomSet(coarse("mbas2024", 8), 2, 1), tmp_path, on_case=on_case)
    assert seen == [("MBAS_001", 2, 1), ("MBAS_002", 2, 2)]


def test_more_cases_than_names_are_refused(tmp_path):
    with pytest.raises(UsageError, match="MBAS_1000"):
        write_phantoms(PhantomSet(coarse("mbas2024", 8), 1000, 1), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("change", [{"orientation": "PIR"}, {"shape": (30, 30, 1)}])
def test_a_grid_that_phantoms_cannot_have_is_refused(change):
    challenge = coarse("brats2023-gli", 8)
    grid = challenge.geometry.grids[0].model_copy(update=change)
    geometry = challenge.geometry.model_copy(update={"grids": (grid,)})
    with pytest.raises(UsageError, match="no phantoms of"):
        make_phantom(challenge.model_copy(update={"geometry": geometry}), 0, 0)


def test_hearts_of_the_second_generator_have_all_labels():
    challenge = coarse("mbas2024", 4)
    usual, second = (make_phantom(challenge, 1, 0, generator=kind) for kind in (USUAL, SECOND))
    assert set(np.unique(second.labels_xyz)) == set(challenge.labels.values())
    assert np.mean(usual.labels_xyz != second.labels_xyz) > 0.001
    assert not np.array_equal(usual.image_cxyz, second.image_cxyz)


@pytest.mark.parametrize("spacing_mm", [0.0, -1.0, 1e6, float("nan")])
def test_a_spacing_that_no_phantom_has_is_refused(spacing_mm):
    with pytest.raises(UsageError, match=r"from 0\.25 to 20 mm"):
        make_phantom(load_challenge("brats2023-gli"), 0, 0, spacing_mm=spacing_mm)


@pytest.mark.parametrize("key", ["brats2023-gli", "mbas2024"])
def test_a_smaller_run_leaves_no_case_of_an_earlier_one(key, tmp_path):
    challenge = coarse(key, 8)
    write_phantoms(PhantomSet(challenge, 3, 0), tmp_path)
    labels_of_second = tmp_path / "labels" / challenge.output_name(case_name(challenge, 1))
    labels_of_second.unlink()
    (tmp_path / "data" / "notes.txt").write_text("kept")
    (name,) = write_phantoms(PhantomSet(challenge, 1, 1), tmp_path)
    assert [file.name for file in (tmp_path / "labels").iterdir()] == [challenge.output_name(name)]
    images = list((tmp_path / "data").rglob("*.nii.gz"))
    assert len(images) == len(challenge.channels)
    assert (tmp_path / "data" / "notes.txt").exists()
    folders = [place for place in (tmp_path / "data").iterdir() if place.is_dir()]
    assert all(any(folder.iterdir()) for folder in folders)
