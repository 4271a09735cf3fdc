"""Which hosts can be tried on this machine."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

from segcube.release.trial.launch import Engine, find_engine

ROOT = Path(__file__).parents[2]
IMAGE = "segcube:under-test"
MLCUBE = Path(os.environ.get("MLCUBE_PROGRAM", ROOT / ".venv-mlcube" / "bin" / "mlcube"))
ORCHESTRATOR = Path(os.environ.get("ORCHESTRATOR_PYTHON", ROOT / ".venv-brats" / "bin" / "python"))


@cache
def engine_here() -> Engine | None:
    """The container engine, queried once."""
    return find_engine()


def expected_hosts() -> dict[str, str]:
    """The kinds of hosts that this machine supports, and what each requires."""
    engine = engine_here()
    if engine is None:
        return {"process": "no container engine answers"}
    expected = {"container": f"{engine.program} answers"}
    if engine.program == "docker":
        expected |= {
            "mlcube": "Docker answers: make mlcube",
            "orchestrator": "Docker answers: make orchestrator",
        }
    if shutil.which("medperf"):
        expected["medperf"] = "medperf is on the PATH"
    return expected
