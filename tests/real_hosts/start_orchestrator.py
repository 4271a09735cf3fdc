"""Runs in the orchestrator's environment: start_orchestrator.py ALGORITHMS DATA MAPS."""

from __future__ import annotations

import sys
from pathlib import Path

from brats.core.docker import run_container
from brats.utils.algorithm_config import load_algorithms

algorithms, data, maps = map(Path, sys.argv[1:])
run_container(
    algorithm=load_algorithms(algorithms)["SEGCUBE"],
    data_path=data,
    output_path=maps,
    cuda_devices="0",
    force_cpu=True,
)
