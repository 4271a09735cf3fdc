"""Folders and disks that cannot be written, and missing folders, devices and parameters."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import SOUND, UNPRIVILEGED, open_to_all


def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
    if made.returncode:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def tiny_disk(room) -> Iterator[Path]:
    """A disk with room for two maps."""
    yield from mounted(room / "disk", "size=8k,mode=777")


@pytest.fixture
def read_only_disk(room) -> Iterator[Path]:
    yield from mounted(room / "disk", "ro")


def test_an_output_folder_without_permission(commands, data, room):
    (room / "out").mkdir(mode=0o555)
    ended = commands.run(data, room / "out", before=UNPRIVILEGED).expect(5, sound={})
    assert str(room / "out") in ended.stderr


def test_an_output_folder_that_cannot_be_made(commands, data, room):
    (room / "locked").mkdir(mode=0o555)
    ended = commands.run(data, room / "locked" / "out", before=UNPRIVILEGED)
    ended.expect(5, sound={})


def test_an_output_folder_on_a_read_only_disk(commands, data, read_only_disk):
    commands.run(data, read_only_disk, before="").expect(5, sound={})


def test_an_output_folder_below_a_read_only_disk(commands, data, read_only_disk):
    commands.run(data, read_only_disk / "out").expect(5, sound={})


def test_an_output_folder_that_is_a_file(commands, data, room):
    (room / "out").write_bytes(b"kept")
    commands.run(data, room / "out").expect(5, sound={})
    assert (room / "out").read_bytes() == b"kept"


def test_an_output_folder_below_a_file(commands, data, room):
    (room / "file").write_bytes(b"")
    commands.run(data, room / "file" / "out").expect(5, sound={})


def test_an_output_folder_that_is_a_dangling_link(commands, data, room):
    (room / "out").symlink_to("nowhere/at/all")
    commands.run(data, room / "out").expect(5, sound={})


def test_a_folder_in_place_of_a_map_fails_its_case(commands, data, sound, room):
    (room / "out" / f"{SOUND[1]}.nii.gz").mkdir(parents=True)
    ended = commands.run(data, room / "out").expect(3, sound=sound)
    assert ended.codes() == {SOUND[1]: "OUTPUT"}
    assert len(ended.maps()) == 2


def test_a_report_that_cannot_be_written_ends_the_run_before_its_first_case(commands, data, room):
    (room / "report").mkdir()
    commands.run(data, room / "out", report=room / "report").expect(5, sound={})


def test_a_full_disk_leaves_complete_maps_and_resume_predicts_the_others(commands, data, sound, tiny_disk):
    ended = commands.run(data, tiny_disk).expect(5, sound=sound)
    assert "No space left" in ended.stderr
    assert ended.report["ended"] == "failed"
    before = ended.maps()
    assert 0 < len(before) < len(SOUND)
    subprocess.run(["mount", "-o", "remount,size=1m", tiny_disk], check=True)
    again = commands.run(data, tiny_disk, "--resume").expect(0, sound=sound)
    assert again.maps() == sound
    assert list(again.statuses().values()).count("kept") == len(before)


def test_a_file_size_limit_is_handled_like_a_full_disk(commands, data, sound, room):
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))"
    ended = commands.run(data, room / "out", before=limit, report=room / "r.json")
    ended.expect(5, sound=sound)
    assert not list(room.glob("*/.*"))


def test_probabilities_that_cannot_be_written(commands, data, sound, room):
    (room / "file").write_bytes(b"")
    commands.run(data, room / "out", "--save-probabilities", room / "file").expect(5, sound=sound)


def test_partial_files_of_killed_runs_are_removed_and_foreign_files_kept(commands, data, sound, room):
    out = open_to_all(room / "out")
    for name in (".segcube-0123.part", "notes.txt", ".segcube-settings"):
        (out / name).write_bytes(b"x")
    ended = commands.run(data, out).expect(0, sound=sound)
    assert sorted(ended.maps()) == sorted([*sound, "notes.txt", ".segcube-settings"])
    assert "removed a temporary file" in ended.stderr


def test_data_output_and_report_in_one_folder(commands, data, sound, room):
    """Output and report are in the data folder: neither is taken for a case."""
    shutil.copytree(data, room / "all")
    ended = commands.run(room / "all", room / "all", report=room / "all" / "r.json")
    reports = {name: ended.maps()[name] for name in ("r.json", "r.jsonl")}
    assert ended.expect(0, sound={**sound, **reports}).code == 0
    again = commands.run(room / "all", room / "all" / "out", report=room / "all" / "r.json")
    assert again.expect(0, sound=sound).maps() == sound


def test_a_missing_data_folder(commands, room):
    commands.run(room / "nowhere", room / "out").expect(2, sound={})


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo], ids=["file", "fifo"])
def test_a_data_path_that_is_not_a_folder(commands, room, make):
    make(room / "data")
    commands.run(room / "data", room / "out").expect(2, sound={})


def test_a_data_folder_without_permission(commands, room):
    (room / "data").mkdir(mode=0)
    ended = commands.run(room / "data", room / "out", before=UNPRIVILEGED)
    ended.expect(2, sound={})


def test_an_empty_data_folder(commands, room):
    (room / "data").mkdir()
    assert "no case of" in commands.run(room / "data", room / "out").expect(4, sound={}).stderr


def test_a_missing_device(commands, data, room):
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    ended = commands.run(data, room / "out", "--device", "cuda:63", environment=hidden)
    ended.expect(5, sound={})
    assert "cuda:63" in ended.stderr
    assert "--device cpu" in ended.stderr


def test_an_invalid_device(commands, data, room):
    commands.run(data, room / "out", "--device", "abacus").expect(2, sound={})


def test_invalid_parameters(commands, data, room):
    (room / "parameters.yaml").write_bytes(b"nonsense: 1")
    ended = commands.run(data, room / "out", "--parameters_file", room / "parameters.yaml")
    assert "'nonsense'" in ended.expect(2, sound={}).stderr
