from __future__ import annotations

import json
import subprocess
import sys

from typer.testing import CliRunner

from segcube import __version__
from segcube.cli.app import app
from segcube.core import cpu_count

WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Missing(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in {missing!r} else super().find_spec(name, path, target)

sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not PathFinder] + [Missing]
from segcube.cli import main
main(["doctor", "--json", "-q"])
"""


def doctor_without(*missing: str) -> tuple[int, dict]:
    command = [sys.executable, "-c", WITHOUT.format(missing=missing)]
    ended = subprocess.run(command, capture_output=True, text=True)
    return ended.returncode, json.loads(ended.stdout)


def test_a_sound_installation_has_no_problem():
    result = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(result.stdout)
    # Where a GPU is visible, the torch of the tests may be the CPU's
    assert [problem for problem in found["problems"] if not problem.startswith("GPU: ")] == []
    assert result.exit_code == (5 if found["problems"] else 0)
    assert found["versions"]["segcube"] == __version__
    assert found["devices"]["CPU threads"].startswith(f"{cpu_count()} of ")
    assert "brats-starter, mbas-starter" in found["machine"]["default weights"]


def test_text_names_every_section():
    lines = CliRunner().invoke(app, ["doctor"]).stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")][:3] == [*("versions", "devices", "machine")]


def test_without_torch_nothing_is_broken():
    _, found = doctor_without("torch")
    assert [problem for problem in found["problems"] if not problem.startswith("GPU: ")] == []
    assert found["versions"]["torch"] == "not installed"


def test_without_a_library_that_runs_networks_the_installation_is_broken():
    code, found = doctor_without("torch", "openvino")
    assert code == 5
    assert any("neither OpenVINO nor torch" in problem for problem in found["problems"])


def test_kernels_that_cannot_be_loaded_are_a_problem(monkeypatch):
    monkeypatch.setenv("SEGCUBE_KERNELS", "nonsense")
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 5
    assert "SEGCUBE_KERNELS=nonsense" in json.loads(result.stdout)["problems"][0]
