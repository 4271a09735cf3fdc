import subprocess
import sys

import pytest
import typer

from segcube.cli.leave import leave_with


def test_ctrl_c_is_one_line_and_130(capsys):
    def task():
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as left:
        leave_with(task)
    assert left.value.exit_code == 130
    assert capsys.readouterr().err == "interrupted\n"


SCRIPT = """
import signal
from segcube.cli.leave import handle_ctrl_c

handle_ctrl_c()
try:
    import swallows
    while True:
        signal.pause()
except KeyboardInterrupt:
    print("interrupted after", *swallows.did)
"""

SWALLOWS = """
import signal

did = []
try:
    signal.raise_signal(signal.SIGINT)
    did.append("the import")
except BaseException:
    did.append("an exception")
"""


def test_ctrl_c_during_an_import_waits_for_its_end(tmp_path):
    (tmp_path / "swallows.py").write_text(SWALLOWS)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("interrupted after the import\n", "")
