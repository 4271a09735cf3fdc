from __future__ import annotations

import os
from pathlib import Path

import pytest

from segcube.core import UsageError
from segcube.formats import Discovery, discover_cases, other_format_hint
from segcube.spec.challenges import Challenge, load_challenge

NAME, OTHER = "BraTS-GLI-00001-000", "BraTS-GLI-00002-000"
CHANNELS = ("t1c", "t1n", "t2f", "t2w")


def fill(folder: Path, name: str = NAME, channels=CHANNELS, ending=".nii.gz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for channel in channels:
        (folder / f"{name}-{channel}{ending}").write_bytes(b"x")
    return folder


def names(found: Discovery) -> list[str]:
    return [case.name for case in found.cases]


def refused(found: Discovery) -> dict[str, str]:
    return {refusal.case.name: str(refusal.error.code) for refusal in found.refused}


def test_cases_in_folders_and_flat_files(tmp_path, glioma):
    fill(tmp_path / OTHER, OTHER)
    fill(tmp_path)
    found = discover_cases(tmp_path, glioma)
    assert names(found) == [NAME, OTHER]
    assert found.cases[0].files == {c: tmp_path / f"{NAME}-{c}.nii.gz" for c in CHANNELS}
    assert found.cases[0].reference == "t1c"
    assert found.refused == found.ignored == ()


def test_an_empty_folder_has_no_cases(tmp_path, glioma):
    assert discover_cases(tmp_path, glioma) == Discovery(())


def test_a_missing_folder_is_an_error(tmp_path, glioma):
    a_file = fill(tmp_path) / f"{NAME}-t1c.nii.gz"
    for place, words in ((tmp_path / "none", "no such folder"), (a_file, "cannot be listed")):
        with pytest.raises(UsageError, match=words):
            discover_cases(place, glioma)


def test_reference_labels_are_not_listed_as_ignored(tmp_path, glioma):
    fill(tmp_path / NAME, channels=(*CHANNELS, "seg"))
    found = discover_cases(tmp_path, glioma)
    assert names(found) == [NAME]
    assert found.ignored == ()


def test_ignored_files_are_listed_with_the_reason(tmp_path, glioma):
    reasons = {
        f"{NAME}/._{NAME}-t1c.nii.gz": "hidden",
        ".DS_Store": "hidden",
        "README.txt": "not a case of brats2023-gli",
        f"{NAME}/{NAME}-t1c.nii.gz.part": "not a case of brats2023-gli",
        f"{NAME}/{NAME}-adc.nii.gz": "not a channel of brats2023-gli",
        f"{NAME}/t1c.nii.gz": "not a case of brats2023-gli",
        "BraTS-SSA-00001-000-t1c.nii.gz": "not a case of brats2023-gli",
        f"{NAME}/more": "below the level of case folders",
    }
    fill(fill(tmp_path / NAME) / "more", OTHER)
    for place in list(reasons)[:-1]:
        (tmp_path / place).write_bytes(b"x")
    found = discover_cases(tmp_path, glioma)
    assert names(found) == [NAME]
    assert set(found.ignored) == {f"{place} ({why})" for place, why in reasons.items()}


def test_a_folder_may_have_any_name(tmp_path, glioma):
    folders = ["Fälle", "a b 'c' \"d\"", "患者", "-rf", "a\nb", os.fsdecode(b"\xff")]
    cases = [f"BraTS-GLI-{number:05d}-000" for number in range(len(folders))]
    for folder, case in zip(folders, cases, strict=True):
        fill(tmp_path / folder, case)
    fill(tmp_path / "..x")
    found = discover_cases(tmp_path, glioma)
    assert names(found) == cases
    assert len(found.ignored) == len(folders) + 1
    assert "\n".join(found.ignored).encode()


def test_links_to_files_count(tmp_path, glioma):
    store = fill(tmp_path / "store")
    data = tmp_path / "data" / NAME
    data.mkdir(parents=True)
    for file in store.iterdir():
        (data / file.name).symlink_to(file)
    assert names(discover_cases(tmp_path / "data", glioma)) == [NAME]


def test_a_dangling_link_is_a_missing_channel(tmp_path, glioma):
    for name, target in ((NAME, "nowhere"), (OTHER, f"{OTHER}-t1c.nii.gz")):
        fill(tmp_path, name, channels=CHANNELS[1:])
        (tmp_path / f"{name}-t1c.nii.gz").symlink_to(target)
    found = discover_cases(tmp_path, glioma)
    assert refused(found) == {NAME: "MISSING_MODALITY", OTHER: "MISSING_MODALITY"}
    assert "t1c" in str(found.refused[0].error)


def test_a_missing_channel_rejects_its_case_only(tmp_path, glioma):
    fill(tmp_path / NAME, channels=("t1c", "t2f"))
    fill(tmp_path / OTHER, OTHER)
    found = discover_cases(tmp_path, glioma)
    assert names(found) == [OTHER]
    assert refused(found) == {NAME: "MISSING_MODALITY"}
    assert "no file for t1n, t2w" in str(found.refused[0].error)


def test_reference_labels_alone_are_not_a_case(tmp_path, glioma):
    fill(tmp_path, channels=("seg",))
    assert discover_cases(tmp_path, glioma) == Discovery(())


def test_compressed_and_uncompressed_files_are_duplicates(tmp_path, glioma):
    fill(tmp_path / NAME)
    fill(tmp_path / NAME, channels=("t2w",), ending=".nii")
    assert refused(discover_cases(tmp_path, glioma)) == {NAME: "DUPLICATE"}


def test_a_case_in_two_folders_has_duplicates(tmp_path, glioma):
    fill(tmp_path / NAME)
    fill(tmp_path / "copy")
    found = discover_cases(tmp_path, glioma)
    assert refused(found) == {NAME: "DUPLICATE"}
    assert "copy" in str(found.refused[0].error)


def test_two_suffixes_of_a_channel_are_duplicates(tmp_path):
    for sign in "_-":
        (tmp_path / f"BraTS-MEN-RT-0001-1{sign}t1c.nii.gz").write_bytes(b"x")
    found = discover_cases(tmp_path, load_challenge("brats2024-men-rt"))
    assert refused(found) == {"BraTS-MEN-RT-0001-1": "DUPLICATE"}


def test_a_folder_named_like_a_channel_is_left_to_the_reader(tmp_path, glioma):
    fill(tmp_path, channels=CHANNELS[1:])
    (tmp_path / f"{NAME}-t1c.nii.gz").mkdir()
    (case,) = discover_cases(tmp_path, glioma).cases
    assert case.files["t1c"].is_dir()


@pytest.mark.parametrize("kind", ["empty", "misnamed", "link"])
def test_an_empty_case_folder_is_rejected(tmp_path, glioma, kind):
    data = tmp_path / "data"
    fill(data / OTHER, OTHER)
    if kind == "link":
        (data / NAME).symlink_to(fill(tmp_path / "store"))
    else:
        fill(data / NAME, "t", channels=CHANNELS if kind == "misnamed" else ())
    found = discover_cases(data, glioma)
    assert names(found) == [OTHER]
    assert refused(found) == {NAME: "MISSING_MODALITY"}


def test_an_empty_case_folder_does_not_identify_the_challenge(tmp_path, glioma):
    (tmp_path / NAME).mkdir()
    found = discover_cases(tmp_path, glioma)
    assert refused(found) == {NAME: "MISSING_MODALITY"}
    assert not found.fits


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_an_unreadable_case_folder_is_rejected(tmp_path, glioma):
    fill(tmp_path / OTHER, OTHER)
    fill(tmp_path / NAME).chmod(0)
    found = discover_cases(tmp_path, glioma)
    (tmp_path / NAME).chmod(0o700)
    assert names(found) == [OTHER]
    assert refused(found) == {NAME: "UNREADABLE"}


def test_aliases_are_case_names(tmp_path):
    fill(tmp_path / NAME)
    goat = load_challenge("brats2024-goat")
    assert names(discover_cases(tmp_path, goat)) == [NAME]


def atria(folder: Path, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"MBAS_{number:03d}_gt.nii.gz").write_bytes(b"x")


def test_with_layout_walk_cases_are_found_at_any_depth(tmp_path):
    atria(tmp_path, 1)
    atria(tmp_path / "a" / "b" / "c" / "d", 2)
    found = discover_cases(tmp_path, load_challenge("mbas2024"))
    assert names(found) == ["MBAS_001", "MBAS_002"]
    assert found.ignored == ()


def test_circular_links_are_not_followed(tmp_path):
    atria(tmp_path / "a", 1)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    found = discover_cases(tmp_path, load_challenge("mbas2024"))
    assert names(found) == ["MBAS_001"]
    assert any("not followed" in message for message in found.ignored)


def test_case_names_cannot_leave_the_output_folder(tmp_path, glioma):
    own = Challenge.model_validate(glioma.model_dump() | {"case": ".*", "evaluator_pattern": None})
    for name in ("..%2fx", "-rf", "..", "a b", "%00"):
        fill(tmp_path, name)
    found = discover_cases(tmp_path, own)
    out = Path("/out")
    assert len(found.cases) + sum(".." in message for message in found.ignored) >= 3
    for case in found.cases:
        file = out / own.output_name(case.name)
        assert Path(os.path.normpath(file)).parent == out


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("a.png", "the files end with .png; those of {} end with .nii.gz or .nii"),
        ("a.nii", ""),
        ("a.txt", ""),
    ],
)
def test_files_of_another_format_are_described(name, hint, tmp_path, glioma):
    (tmp_path / name).touch()
    found = other_format_hint(tmp_path, glioma)
    assert found.startswith(hint.format(glioma.key))
    assert bool(found) == bool(hint)
