"""Hidden folders of runs that end, are terminated, or are killed."""

import signal
import subprocess
import sys
import zipfile

import pytest

from segcube.core import scratch_folder
from segcube.core.files import clear_scratch

RUN = """
import sys
from pathlib import Path
from segcube.cli.leave import leave_with
{imports}

def task():
    with {context}:
        print("ready", flush=True)
        sys.stdin.read()

leave_with(task)
"""
WHOLE = ("from segcube.submission import whole_folder", "whole_folder(Path(sys.argv[1]) / 'out')")
UNPACKED = (
    "from segcube.importers import opened_source",
    "opened_source(Path(sys.argv[1]) / 'm.zip', Path(sys.argv[1]) / 'out')",
)


@pytest.fixture
def started(tmp_path):
    """Start a process that has a hidden folder in tmp_path and waits."""
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


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.fixture
def make_zip():
    def write(file):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("m/plans.json", "{}")

    return write


@pytest.mark.parametrize("run", [WHOLE, UNPACKED], ids=["a submission", "an archive"])
def test_nothing_stays_after_sigterm(tmp_path, make_zip, started, run):
    make_zip(tmp_path / "m.zip")
    process = started(*run)
    assert len(hidden(tmp_path)) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    assert hidden(tmp_path) == []


def test_what_a_killed_run_left_goes_with_the_next_one(tmp_path, started):
    process = started(*WHOLE)
    process.kill()
    process.wait()
    [left] = hidden(tmp_path)
    with scratch_folder(tmp_path, "out") as folder:
        assert hidden(tmp_path) == [folder.name] != [left]
    assert hidden(tmp_path) == []


def test_what_another_run_uses_stays(tmp_path, started):
    process = started(*WHOLE)
    [used] = hidden(tmp_path)
    with scratch_folder(tmp_path, "out") as folder:
        assert hidden(tmp_path) == sorted([used, folder.name])
    assert hidden(tmp_path) == [used]
    assert process.poll() is None


def test_other_folders_and_links_stay(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    parent = tmp_path / "parent"
    for name in (".segcube-notes", "out", f"segcube-{'0' * 32}"):
        (parent / name).mkdir(parents=True)
    (parent / f".segcube-x-{'0' * 32}").symlink_to(elsewhere)
    (parent / f".segcube-y-{'0' * 32}").write_text("a file")
    before = sorted(parent.iterdir())
    clear_scratch(parent)
    assert sorted(parent.iterdir()) == before
    assert elsewhere.is_dir()


def test_an_empty_leftover_goes(tmp_path):
    (tmp_path / f".segcube-x-{'0' * 32}" / "inside").mkdir(parents=True)
    clear_scratch(tmp_path)
    assert hidden(tmp_path) == []


def test_an_error_leaves_nothing_and_a_moved_folder_stays(tmp_path):
    opened = scratch_folder(tmp_path, "a")
    with pytest.raises(FileNotFoundError), opened as folder:
        (folder / "none" / "file").touch()
    assert hidden(tmp_path) == []
    with scratch_folder(tmp_path / "new", "a") as folder:
        folder.rename(tmp_path / "kept")
    assert (tmp_path / "kept").is_dir()
