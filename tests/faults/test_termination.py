"""Runs that are killed, terminated, started twice and resumed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from segcube.core.processes import GRACE_SECONDS

from .commands import Commands
from .make_case import make_case
from .make_submission import make_submission

MOMENTS = 10
CASES = 6


@pytest.fixture(scope="module")
def many(base: Path) -> Path:
    for seed in range(CASES):
        make_case(base / "many" / f"BraTS-GLI-{seed:05d}-000", seed)
    return base / "many"


@pytest.fixture(scope="module")
def whole(base: Path, commands: Commands, many: Path) -> tuple[dict[str, bytes], float]:
    """The maps of an undisturbed run, and its duration in seconds."""
    ended = commands.run(many, base / "of many")
    assert ended.code == 0, ended.stderr
    return ended.maps(), ended.seconds


@pytest.mark.parametrize(
    ("moment", "nameless"),
    [*((moment, True) for moment in range(0, MOMENTS, 2)), (3, False), (7, False)],
)
def test_a_run_killed_at_any_moment_can_be_resumed(commands, many, whole, room, moment, nameless):
    maps, seconds = whole
    before = "" if nameless else "import os\ndel os.O_TMPFILE"
    running = commands.begin(many, room / "out", before=before)
    time.sleep(seconds * (moment + 0.5) / MOMENTS)
    os.kill(running.pid, signal.SIGKILL)
    killed = running.ended()
    found = killed.maps()
    parts = {name for name in found if name.startswith(".segcube-")}
    assert not (nameless and parts)
    assert all(found[name] == maps[name] for name in found.keys() - parts)
    stamps = {name: (room / "out" / name).stat().st_mtime_ns for name in found.keys() - parts}
    again = commands.run(many, room / "out", "--resume").expect(0, sound=maps)
    assert again.maps() == maps
    assert sum(status == "kept" for status in again.statuses().values()) == len(stamps)
    assert {name: (room / "out" / name).stat().st_mtime_ns for name in stamps} == stamps


@pytest.mark.parametrize(("part", "times"), [(0.05, 1), (0.4, 3), (0.8, 1)])
def test_sigterm_ends_a_run(commands, many, whole, room, part, times):
    maps, seconds = whole
    running = commands.begin(many, room / "out")
    time.sleep(seconds * part)
    for _ in range(times):
        os.kill(running.pid, signal.SIGTERM)
    # -15: before segcube handles the signal; a shell reports 143 too
    ended = running.ended().expect(143, -15, 0, sound=maps)
    assert ended.report is None or ended.report["ended"] in ("terminated", "running", "done")


def test_a_run_ends_before_docker_kills_it():
    assert GRACE_SECONDS < 10


def test_two_runs_can_write_to_one_folder(commands, many, whole, room):
    maps, _ = whole
    both = [commands.begin(many, room / "out") for _ in range(2)]
    for running in both:
        running.ended().expect(0, sound=maps)
    assert {file.name: file.read_bytes() for file in (room / "out").iterdir()} == maps


def test_a_finished_run_is_kept_whole(commands, many, whole, room):
    maps, _ = whole
    commands.run(many, room / "out").expect(0, sound=maps)
    again = commands.run(many, room / "out", "--resume").expect(0, sound=maps)
    assert set(again.statuses().values()) == {"kept"}


def test_maps_of_other_weights_are_predicted_again_and_reported(commands, many, whole, room):
    maps, _ = whole
    commands.run(many, room / "out").expect(0, sound=maps)
    other = make_submission(room / "other", seed=5)
    again = commands.run(many, room / "out", "--resume", weights=other)
    assert set(again.statuses().values()) == {"done"}
    assert again.stderr.count("is of another submission") == CASES
    assert again.maps() != maps


DAMAGE = {
    "cut": (lambda file: os.truncate(file, file.stat().st_size - 5), "map is damaged: TRUNCATED"),
    "emptied": (lambda file: os.truncate(file, 0), "map is damaged: EMPTY_FILE"),
    "flipped": (lambda file: flip(file), "map is damaged: CORRUPT"),
}


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-6] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_incomplete_map_is_predicted_again(commands, many, whole, room, damage):
    maps, _ = whole
    apply, message = DAMAGE[damage]
    commands.run(many, room / "out").expect(0, sound=maps)
    apply(room / "out" / sorted(maps)[3])
    again = commands.run(many, room / "out", "--resume").expect(0, sound=maps)
    assert again.maps() == maps
    assert sorted(again.statuses().values()) == ["done"] + ["kept"] * (CASES - 1)
    assert message in again.stderr


def test_a_foreign_file_is_not_an_unfinished_map(commands, many, whole, room):
    maps, _ = whole
    commands.run(many, room / "out").expect(0, sound=maps)
    file = room / "out" / sorted(maps)[3]
    file.write_bytes(b"a map")
    assert commands.run(many, room / "out", "--resume").code == 2
    assert file.read_bytes() == b"a map"
