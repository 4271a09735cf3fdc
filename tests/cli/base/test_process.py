import subprocess
import sys

import pytest
import typer

from segcube.cli.base.process import run_command
from segcube.core import UsageError


def test_ctrl_c_prints_one_line_and_exits_130(capsys):
    def task():
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as left:
        run_command(task)
    assert left.value.exit_code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_notes_of_an_error_are_lines_before_it(capsys):
    def task():
        error = UsageError("3 errors")
        error.add_note("first\x1b[2J")
        error.add_note("second")
        raise error

    with pytest.raises(typer.Exit):
        run_command(task)
    assert capsys.readouterr().err == "first\\x1b[2J\nsecond\nerror: 3 errors\n"


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("segcube import nnunet", "pip install 'segcube[import]'\n"),
        ("segcube compile", "pip install 'segcube[torch]'\n"),
    ],
)
def test_a_missing_package_is_hinted_at_by_the_extra_of_the_command(capsys, command, hint):
    def task():
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    with pytest.raises(typer.Exit):
        run_command(task, command)
    assert hint in capsys.readouterr().err


def test_an_error_of_the_system_names_the_file(capsys, tmp_path):
    (tmp_path / "maps").touch()

    with pytest.raises(typer.Exit) as left:
        run_command((tmp_path / "maps" / "case").mkdir)
    assert left.value.exit_code == 5
    found = "cannot be read or written: Not a directory"
    assert capsys.readouterr().err == f"error: {tmp_path}/maps/case: {found}\n"


SCRIPT = """
from segcube.cli.base.process import handle_ctrl_c

handle_ctrl_c()
import swallows
print("went on")
"""

SWALLOWS = """
import signal

try:
    signal.raise_signal(signal.SIGINT)
except BaseException:
    pass
"""


def test_ctrl_c_during_an_import_ends_the_process(tmp_path):
    (tmp_path / "swallows.py").write_text(SWALLOWS)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")
