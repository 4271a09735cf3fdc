"""Atomic writing, and scratch folders of runs that end, are terminated or are killed."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from segcube.core import (
    EnvironmentFault,
    UsageError,
    as_path,
    remove_partial_files,
    scratch_folder,
    write_atomic,
)
from segcube.core.files import remove_stale_scratch

PARTIAL = ".segcube-0-a.nii.gz.part"


def listing(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture(params=["unnamed", "named"])
def file_system(request, monkeypatch) -> None:
    """Write with and without unnamed files."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)


@pytest.mark.usefixtures("file_system")
def test_writing_creates_the_folder_and_leaves_no_other_file(tmp_path):
    file = tmp_path / "new" / "folder" / "a.bin"
    for content in (b"first", b"second, longer", b""):
        write_atomic(file, content)
        assert file.read_bytes() == content
        assert listing(file.parent) == ["a.bin"]
    umask = os.umask(0)
    os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.usefixtures("file_system")
def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"kept")
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert target.read_bytes() == b"kept"
    assert not link.is_symlink()


@pytest.mark.usefixtures("file_system")
def test_a_file_as_folder_and_a_folder_as_file_are_errors(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_atomic(tmp_path / "file" / "a", b"x")
    (tmp_path / "a").mkdir()
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_atomic(tmp_path / "a", b"x")
    assert listing(tmp_path) == ["a", "file"]


def test_a_file_system_without_files_is_an_error():
    with pytest.raises(EnvironmentFault):
        write_atomic(Path("/proc/a"), b"x")


@pytest.mark.usefixtures("file_system")
def test_the_longest_name_can_be_written(tmp_path):
    write_atomic(tmp_path / ("a" * 255), b"x")
    assert listing(tmp_path) == ["a" * 255]


@pytest.mark.parametrize("named", [False, True])
def test_a_full_disk_leaves_the_old_file(tmp_path, named):
    """RLIMIT_FSIZE simulates the disk: a write beyond it fails halfway."""
    (tmp_path / "a").write_bytes(b"old")
    program = f"""
import os, resource, sys
from pathlib import Path
from segcube.core.errors import EnvironmentFault
from segcube.core.files import write_atomic
{"del os.O_TMPFILE" if named else ""}
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomic(Path(sys.argv[1]), b"x" * 100_000)
except EnvironmentFault as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a")], capture_output=True, text=True, check=True
    )
    assert "cannot be written: File too large" in ended.stdout
    assert (tmp_path / "a").read_bytes() == b"old"
    assert listing(tmp_path) == ["a"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096


def test_partial_files_of_killed_runs_are_removed(tmp_path):
    for name in (PARTIAL, ".segcube-x.part", "a.nii.gz", ".segcube-notes", "b.part"):
        (tmp_path / name).write_bytes(b"x")
    assert remove_partial_files(tmp_path) == (PARTIAL, ".segcube-x.part")
    assert listing(tmp_path) == [".segcube-notes", "a.nii.gz", "b.part"]
    assert remove_partial_files(tmp_path) == ()


def test_folders_pipes_and_links_are_not_partial_files(tmp_path):
    (tmp_path / PARTIAL).mkdir()
    os.mkfifo(tmp_path / ".segcube-1.part")
    (tmp_path / ".segcube-2.part").symlink_to("/etc/passwd")
    assert remove_partial_files(tmp_path) == ()
    assert len(listing(tmp_path)) == 3


def test_a_partial_file_in_use_stays(tmp_path):
    part = tmp_path / PARTIAL
    with part.open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert remove_partial_files(tmp_path) == ()
    assert remove_partial_files(tmp_path) == (PARTIAL,)


@pytest.mark.usefixtures("file_system")
def test_concurrent_runs_can_write_to_one_folder(tmp_path):
    contents = {name: name.encode() * 5000 for name in "abcd"}
    errors: list[Exception] = []

    def work(name: str) -> None:
        try:
            for _ in range(10):
                write_atomic(tmp_path / "same", contents[name])
                write_atomic(tmp_path / name, contents[name])
                remove_partial_files(tmp_path)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert listing(tmp_path) == [*contents, "same"]
    assert (tmp_path / "same").read_bytes() in contents.values()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change owners")
def test_files_written_by_root_belong_to_the_owner_of_the_folder(tmp_path):
    os.chown(tmp_path, 1000, 1001)
    write_atomic(tmp_path / "map", b"content")
    written = (tmp_path / "map").stat()
    assert (written.st_uid, written.st_gid) == (1000, 1001)


RUN = """
import sys
from pathlib import Path
from segcube.cli.base.process import run_command
{imports}

def task():
    with {context}:
        print("ready", flush=True)
        sys.stdin.read()

run_command(task)
"""
ATOMIC = ("from segcube.spec.submission import atomic_folder", "atomic_folder(Path(sys.argv[1]) / 'out')")
UNPACKED = (
    "from segcube.importers.sources import opened_source",
    "opened_source(Path(sys.argv[1]) / 'm.zip', Path(sys.argv[1]) / 'out')",
)


@pytest.fixture
def started(tmp_path):
    """Start a process that holds a scratch folder in tmp_path and waits."""
    processes = []

    def start(imports, context):
        code = RUN.format(imports=imports, context=context)
        process = subprocess.Popen(
            [sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def hidden(folder: Path) -> list[str]:
    return [name for name in listing(folder) if name.startswith(".")]


@pytest.mark.parametrize("run", [ATOMIC, UNPACKED], ids=["submission", "archive"])
def test_sigterm_removes_the_scratch_folder(tmp_path, started, run):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("m/plans.json", "{}")
    process = started(*run)
    assert len(hidden(tmp_path)) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    assert hidden(tmp_path) == []


def test_the_next_run_removes_the_scratch_folder_of_a_killed_one(tmp_path, started):
    process = started(*ATOMIC)
    process.kill()
    process.wait()
    [left] = hidden(tmp_path)
    with scratch_folder(tmp_path, "out") as folder:
        assert hidden(tmp_path) == [folder.name] != [left]
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("name", ["n" * 255, "\N{GRINNING FACE}" * 63], ids=["letters", "bytes"])
def test_a_scratch_folder_for_the_longest_name_has_a_shorter_one(tmp_path, name):
    with scratch_folder(tmp_path, name) as folder:
        folder.rename(tmp_path / name)
    assert listing(tmp_path) == [name]


def test_scratch_folders_in_use_stay(tmp_path, started):
    process = started(*ATOMIC)
    [used] = hidden(tmp_path)
    with scratch_folder(tmp_path, "out") as folder:
        assert hidden(tmp_path) == sorted([used, folder.name])
    assert hidden(tmp_path) == [used]
    assert process.poll() is None


def test_other_folders_files_and_links_stay(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    parent = tmp_path / "parent"
    for name in (".segcube-notes", "out", f"segcube-{'0' * 32}"):
        (parent / name).mkdir(parents=True)
    (parent / f".segcube-x-{'0' * 32}").symlink_to(elsewhere)
    (parent / f".segcube-y-{'0' * 32}").write_text("a file")
    before = sorted(parent.iterdir())
    remove_stale_scratch(parent)
    assert sorted(parent.iterdir()) == before
    assert elsewhere.is_dir()


def test_scratch_folders_are_removed_with_their_content(tmp_path):
    (tmp_path / f".segcube-x-{'0' * 32}" / "inside").mkdir(parents=True)
    remove_stale_scratch(tmp_path)
    assert hidden(tmp_path) == []


def test_an_error_removes_the_folder_and_a_renamed_folder_stays(tmp_path):
    opened = scratch_folder(tmp_path, "a")
    with pytest.raises(FileNotFoundError), opened as folder:
        (folder / "none" / "file").touch()
    assert hidden(tmp_path) == []
    with scratch_folder(tmp_path / "new", "a") as folder:
        folder.rename(tmp_path / "kept")
    assert (tmp_path / "kept").is_dir()


def test_a_pipe_receives_the_content_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomic(pipe, b"a report")
    assert os.read(reader, 100) == b"a report"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_device_stays(tmp_path):
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    write_atomic(link, b"a report")
    assert link.is_char_device()


@pytest.mark.parametrize("path", ["maps/a.nii", Path("maps/a.nii")])
def test_a_path_is_a_text_or_an_object(path):
    assert as_path(path, "the map") == Path("maps/a.nii")


@pytest.mark.parametrize("path", [None, 3, b"maps", "a\0b", "\ud800"], ids=repr)
def test_what_can_be_no_path_is_refused(path):
    with pytest.raises(UsageError, match=r"the map .*; expected a path"):
        as_path(path, "the map")
