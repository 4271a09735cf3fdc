"""Each attack is refused in one line, within 2 s of CPU time and 200 MB, and runs nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .attacks import ARCHIVES, PICKLES, TEXTS, ZIPPED, write_all

NAMES = (
    *PICKLES,
    *("a command, True", "a command, False", "shared lists as MBAS's fold"),
    *(f"{name}, in torch's zip" for name in ZIPPED),
    *ARCHIVES,
    *TEXTS,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("attacks")


@pytest.fixture(scope="module")
def outcomes(folder):
    """Exit code and stderr of each attack."""
    out = folder / "out"
    challenge = {"mbas": "mbas2024"}
    commands = {
        name: [
            "import",
            kind,
            str(source),
            f"--out={out}",
            f"--challenge={challenge.get(kind, 'brats2024-ssa')}",
        ]
        for name, (kind, source) in write_all(folder, folder / "it ran").items()
    }
    runner = [sys.executable, str(Path(__file__).with_name("run_attacks.py"))]
    ended = subprocess.run(runner, input=json.dumps(commands), capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


def is_refused(code, stderr):
    """Whether an import ended with an error for the user, in one line."""
    is_one_line = stderr.startswith("error: ") and stderr.count("\n") == 1 and len(stderr) < 5000
    return code in (2, 5) and is_one_line


def test_every_attack_is_refused(outcomes):
    assert set(outcomes) == set(NAMES)
    assert {name: outcome for name, outcome in outcomes.items() if not is_refused(*outcome)} == {}


def test_an_attack_runs_nothing_and_leaves_nothing_behind(outcomes, folder):
    del outcomes
    assert not (folder / "it ran").exists()
    assert not (folder / "out").exists()
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
