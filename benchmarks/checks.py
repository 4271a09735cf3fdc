"""The cost of the input checks: the reader against one without any check, as a fraction of a run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cases import write_cases
from isal import igzip

from segcube.core import Case
from segcube.formats import discover_cases
from segcube.formats.nifti import inputs_digest, read_volume
from segcube.spec.challenges import load_challenge

ROOT = Path(__file__).parents[1]
KEY = "brats2023-gli"


def checked(case: Case) -> None:
    """Read and digest a case as a run does."""
    inputs_digest(case)
    challenge = load_challenge(KEY)
    read_volume(case, challenge.channel_names, challenge)


def unchecked(case: Case) -> np.ndarray:
    """Read the same voxels by the same decompressor, without checks of header, checksum and values."""
    channels = []
    for file in case.files.values():
        content = igzip.decompress(file.read_bytes())
        shape = np.frombuffer(content, "<i2", 3, 42)
        stored_xyz = np.frombuffer(content, "<i2", offset=352).reshape(shape, order="F")
        channels.append(stored_xyz.astype(np.float32))
    return np.stack(channels)


def best(task: Callable[[], object], times: int = 7) -> float:
    """CPU seconds, which do not depend on other load of the machine."""
    found = []
    for _ in range(times):
        start = time.process_time()
        task()
        found.append(time.process_time() - start)
    return min(found)


def run_seconds(data: Path, folder: Path) -> float:
    """Seconds of one case in a CPU run of the starter, from its report."""
    report = folder / "report.json"
    command = ["infer", "--data_path", data, "--output_path", folder / "maps", "--report", report]
    command += ["--weights", ROOT / "weights/brats-starter", "--device", "cpu", "--quiet"]
    subprocess.run([sys.executable, "-m", "segcube.cli", *map(str, command)], check=True)
    return sum(json.loads(report.read_text())["cases"][0]["seconds"].values())


def measure() -> tuple[float, float, float]:
    """Seconds of the reader with and without checks, and of the whole case."""
    with tempfile.TemporaryDirectory() as scratch:
        data = write_cases(KEY, 1, Path(scratch) / "cases")
        (case,) = discover_cases(data, load_challenge(KEY)).cases
        return best(lambda: checked(case)), best(lambda: unchecked(case)), run_seconds(data, Path(scratch))


if __name__ == "__main__":
    reader, plain, whole = measure()
    found = f"checks: {reader:.2f} s against {plain:.2f} s of reading"
    print(f"{found}, {(reader - plain) / whole:.1%} of {whole:.1f} s a case (<= 5 %)")
