"""The BraTS orchestrator starts the image as it starts its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from segcube.phantoms import PhantomSet, write_phantoms
from segcube.release.check import check_output
from segcube.release.pack import Publication
from segcube.release.pack.documents import orchestrator_entry
from segcube.spec.challenges import load_challenge

from .machine import ORCHESTRATOR

SCRIPT = Path(__file__).with_name("start_orchestrator.py")


@pytest.mark.parametrize("key", ["brats2023-gli", "brats2025-ssa"], ids=["up to 2024", "2025 and later"])
def test_the_orchestrator_starts_the_image_from_its_entry(key, engine, image, exercised, tmp_path):
    if engine.program != "docker" or not ORCHESTRATOR.is_file():
        pytest.skip(f"the orchestrator needs Docker and {ORCHESTRATOR}: make orchestrator")
    challenge = load_challenge(key)
    write_phantoms(PhantomSet(challenge, 2, 3), tmp_path / "cases", edge=96)
    algorithms = tmp_path / "algorithms.yml"
    algorithms.write_text(
        yaml.safe_dump({"algorithms": {"SEGCUBE": orchestrator_entry(image, challenge, Publication())}})
    )
    data, maps = tmp_path / "cases" / "data", tmp_path / "maps"
    ended = subprocess.run(
        [ORCHESTRATOR, SCRIPT, algorithms, data, maps], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert check_output(maps, data, key).errors == ()
    exercised(f"orchestrator, {key}")
