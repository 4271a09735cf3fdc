from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from segcube.core import EnvironmentFault, clear_leftovers, write_whole

LEFTOVER = ".segcube-0-a.nii.gz.part"


def listing(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture(params=["nameless", "named"])
def file_system(request, monkeypatch) -> None:
    """Both ways of writing, as the file system allows."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)


@pytest.mark.usefixtures("file_system")
def test_a_file_appears_whole_and_alone(tmp_path):
    file = tmp_path / "new" / "folder" / "a.bin"
    for content in (b"first", b"second, longer", b""):
        write_whole(file, content)
        assert file.read_bytes() == content
        assert listing(file.parent) == ["a.bin"]
    umask = os.umask(0)
    os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.usefixtures("file_system")
def test_a_link_is_replaced_and_its_target_kept(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"kept")
    link.symlink_to(target)
    write_whole(link, b"new")
    assert target.read_bytes() == b"kept"
    assert not link.is_symlink()


@pytest.mark.usefixtures("file_system")
def test_what_is_no_folder_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_whole(tmp_path / "file" / "a", b"x")
    (tmp_path / "a").mkdir()
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_whole(tmp_path / "a", b"x")
    assert listing(tmp_path) == ["a", "file"]


def test_proc_cannot_be_written():
    with pytest.raises(EnvironmentFault):
        write_whole(Path("/proc/a"), b"x")


@pytest.mark.usefixtures("file_system")
@pytest.mark.parametrize("length", [200, 255])
def test_a_name_may_be_as_long_as_the_file_system_has_it(tmp_path, length):
    write_whole(tmp_path / ("a" * length), b"x")
    assert listing(tmp_path) == ["a" * length]


@pytest.mark.parametrize("named", [False, True])
def test_a_full_disk_leaves_what_was_there(tmp_path, named):
    """RLIMIT_FSIZE stands for the disk: a write beyond it fails in the middle."""
    (tmp_path / "a").write_bytes(b"old")
    program = f"""
import os, resource, sys
from pathlib import Path
from segcube.core.errors import EnvironmentFault
from segcube.core.files import write_whole
{"del os.O_TMPFILE" if named else ""}
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_whole(Path(sys.argv[1]), b"x" * 100_000)
except EnvironmentFault as error:
    print(error)
"""
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a")], capture_output=True, text=True, check=True
    )
    assert "cannot be written: File too large" in told.stdout
    assert (tmp_path / "a").read_bytes() == b"old"
    assert listing(tmp_path) == ["a"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096


def test_leftovers_are_cleared(tmp_path):
    for name in (LEFTOVER, ".segcube-x.part", "a.nii.gz", ".segcube-notes", "b.part"):
        (tmp_path / name).write_bytes(b"x")
    assert clear_leftovers(tmp_path) == (LEFTOVER, ".segcube-x.part")
    assert listing(tmp_path) == [".segcube-notes", "a.nii.gz", "b.part"]
    assert clear_leftovers(tmp_path) == ()


def test_what_is_no_leftover_stays(tmp_path):
    (tmp_path / LEFTOVER).mkdir()
    os.mkfifo(tmp_path / ".segcube-1.part")
    (tmp_path / ".segcube-2.part").symlink_to("/etc/passwd")
    assert clear_leftovers(tmp_path) == ()
    assert len(listing(tmp_path)) == 3


def test_a_part_that_is_being_written_stays(tmp_path):
    part = tmp_path / LEFTOVER
    with part.open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert clear_leftovers(tmp_path) == ()
    assert clear_leftovers(tmp_path) == (LEFTOVER,)


@pytest.mark.usefixtures("file_system")
def test_two_runs_in_one_folder_do_not_meet(tmp_path):
    contents = {name: name.encode() * 5000 for name in "abcd"}
    faults: list[Exception] = []

    def work(name: str) -> None:
        try:
            for _ in range(10):
                write_whole(tmp_path / "same", contents[name])
                write_whole(tmp_path / name, contents[name])
                clear_leftovers(tmp_path)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert listing(tmp_path) == [*contents, "same"]
    assert (tmp_path / "same").read_bytes() in contents.values()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_belongs_to_the_folders_owner(tmp_path):
    os.chown(tmp_path, 1000, 1001)
    write_whole(tmp_path / "map", b"content")
    written = (tmp_path / "map").stat()
    assert (written.st_uid, written.st_gid) == (1000, 1001)
