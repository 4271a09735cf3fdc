from __future__ import annotations

import os
from pathlib import Path

import pytest

from segcube.core import UsageError
from segcube.formats import Discovery, discover
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


def test_case_folders_and_flat_files(tmp_path, glioma):
    fill(tmp_path / OTHER, OTHER)
    fill(tmp_path)
    found = discover(tmp_path, glioma)
    assert names(found) == [NAME, OTHER]
    assert found.cases[0].files == {c: tmp_path / f"{NAME}-{c}.nii.gz" for c in CHANNELS}
    assert found.cases[0].reference == "t1c"
    assert found.refused == found.ignored == ()


def test_an_empty_folder_holds_nothing(tmp_path, glioma):
    assert discover(tmp_path, glioma) == Discovery(())


def test_a_folder_that_is_none_is_an_error(tmp_path, glioma):
    for place in (tmp_path / "none", fill(tmp_path) / f"{NAME}-t1c.nii.gz"):
        with pytest.raises(UsageError, match="cannot be listed"):
            discover(place, glioma)


def test_expert_labels_are_no_news(tmp_path, glioma):
    fill(tmp_path / NAME, channels=(*CHANNELS, "seg"))
    found = discover(tmp_path, glioma)
    assert names(found) == [NAME]
    assert found.ignored == ()


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (f"{NAME}/._{NAME}-t1c.nii.gz", "hidden"),
        (".DS_Store", "hidden"),
        ("README.txt", "no channel"),
        (f"{NAME}/{NAME}-t1c.nii.gz.part", "no channel"),
        (f"{NAME}/{NAME}-adc.nii.gz", "no channel"),
        (f"{NAME}/t1c.nii.gz", "no channel"),
        (f"{NAME}/more/{OTHER}-t1c.nii.gz", "deeper"),
        ("BraTS-SSA-00001-000-t1c.nii.gz", "no channel"),
    ],
)
def test_what_is_ignored_is_told(tmp_path, glioma, place, why):
    fill(tmp_path / NAME)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(b"x")
    found = discover(tmp_path, glioma)
    assert names(found) == [NAME]
    (message,) = found.ignored
    assert why in message


@pytest.mark.parametrize(
    "folder", ["Fälle", "a b 'c' \"d\"", "患者", "..x", "-rf", "a\nb", os.fsdecode(b"\xff")]
)
def test_a_folder_may_have_any_name(tmp_path, glioma, folder):
    fill(tmp_path / folder)
    found = discover(tmp_path, glioma)
    if folder.startswith("."):
        assert names(found) == []
    else:
        assert names(found) == [NAME]
    (message,) = found.ignored
    message.encode()


def test_links_to_files_count(tmp_path, glioma):
    store = fill(tmp_path / "store")
    data = tmp_path / "data" / NAME
    data.mkdir(parents=True)
    for file in store.iterdir():
        (data / file.name).symlink_to(file)
    assert names(discover(tmp_path / "data", glioma)) == [NAME]


@pytest.mark.parametrize("target", ["nowhere", f"{NAME}-t1c.nii.gz"])
def test_a_link_that_leads_nowhere_is_a_missing_channel(tmp_path, glioma, target):
    fill(tmp_path, channels=CHANNELS[1:])
    (tmp_path / f"{NAME}-t1c.nii.gz").symlink_to(target)
    found = discover(tmp_path, glioma)
    assert refused(found) == {NAME: "MISSING_MODALITY"}
    assert "t1c" in str(found.refused[0].error)


def test_a_missing_channel_refuses_its_case_alone(tmp_path, glioma):
    fill(tmp_path / NAME, channels=("t1c", "t2f"))
    fill(tmp_path / OTHER, OTHER)
    found = discover(tmp_path, glioma)
    assert names(found) == [OTHER]
    assert refused(found) == {NAME: "MISSING_MODALITY"}
    assert "t1n, t2w of" in str(found.refused[0].error)


def test_expert_labels_alone_are_no_case(tmp_path, glioma):
    fill(tmp_path, channels=("seg",))
    assert discover(tmp_path, glioma) == Discovery(())


def test_packed_beside_plain_is_a_double(tmp_path, glioma):
    fill(tmp_path / NAME)
    fill(tmp_path / NAME, channels=("t2w",), ending=".nii")
    assert refused(discover(tmp_path, glioma)) == {NAME: "DUPLICATE"}


def test_a_case_in_two_folders_is_a_double(tmp_path, glioma):
    fill(tmp_path / NAME)
    fill(tmp_path / "copy")
    found = discover(tmp_path, glioma)
    assert refused(found) == {NAME: "DUPLICATE"}
    assert "copy" in str(found.refused[0].error)


def test_two_spellings_of_a_channel_are_a_double(tmp_path):
    for sign in "_-":
        (tmp_path / f"BraTS-MEN-RT-0001-1{sign}t1c.nii.gz").write_bytes(b"x")
    found = discover(tmp_path, load_challenge("brats2024-men-rt"))
    assert refused(found) == {"BraTS-MEN-RT-0001-1": "DUPLICATE"}


def test_a_folder_in_place_of_a_channel_is_left_to_the_reader(tmp_path, glioma):
    fill(tmp_path, channels=CHANNELS[1:])
    (tmp_path / f"{NAME}-t1c.nii.gz").mkdir()
    (case,) = discover(tmp_path, glioma).cases
    assert case.files["t1c"].is_dir()


@pytest.mark.parametrize("kind", ["empty", "misnamed", "link"])
def test_a_case_folder_that_gives_nothing_is_refused_beside_others(tmp_path, glioma, kind):
    data = tmp_path / "data"
    fill(data / OTHER, OTHER)
    if kind == "link":
        (data / NAME).symlink_to(fill(tmp_path / "store"))
    else:
        fill(data / NAME, "t", channels=CHANNELS if kind == "misnamed" else ())
    found = discover(data, glioma)
    assert names(found) == [OTHER]
    assert refused(found) == {NAME: "MISSING_MODALITY"}


def test_a_case_folder_alone_is_refused_and_says_nothing_of_the_challenge(tmp_path, glioma):
    (tmp_path / NAME).mkdir()
    found = discover(tmp_path, glioma)
    assert refused(found) == {NAME: "MISSING_MODALITY"}
    assert not found.fits


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_case_folder_without_permission_is_refused_beside_others(tmp_path, glioma):
    fill(tmp_path / OTHER, OTHER)
    fill(tmp_path / NAME).chmod(0)
    found = discover(tmp_path, glioma)
    (tmp_path / NAME).chmod(0o700)
    assert names(found) == [OTHER]
    assert refused(found) == {NAME: "UNREADABLE"}


def test_names_that_hosts_invent_keep_their_name(tmp_path):
    fill(tmp_path / NAME)
    goat = load_challenge("brats2024-goat")
    assert names(discover(tmp_path, goat)) == [NAME]


def atria(folder: Path, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"MBAS_{number:03d}_gt.nii.gz").write_bytes(b"x")


def test_a_walked_folder_holds_cases_at_any_depth(tmp_path):
    atria(tmp_path, 1)
    atria(tmp_path / "a" / "b" / "c" / "d", 2)
    found = discover(tmp_path, load_challenge("mbas2024"))
    assert names(found) == ["MBAS_001", "MBAS_002"]
    assert found.ignored == ()


def test_a_loop_of_links_ends(tmp_path):
    atria(tmp_path / "a", 1)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    found = discover(tmp_path, load_challenge("mbas2024"))
    assert names(found) == ["MBAS_001"]
    assert any("not followed" in message for message in found.ignored)


def test_a_case_never_leaves_the_output_folder(tmp_path, glioma):
    own = Challenge.model_validate(glioma.model_dump() | {"case": ".*", "evaluator_pattern": None})
    for name in ("..%2fx", "-rf", "..", "a b", "%00"):
        fill(tmp_path, name)
    found = discover(tmp_path, own)
    out = Path("/out")
    assert len(found.cases) + sum(".." in message for message in found.ignored) >= 3
    for case in found.cases:
        file = out / own.output_name(case.name)
        assert Path(os.path.normpath(file)).parent == out
