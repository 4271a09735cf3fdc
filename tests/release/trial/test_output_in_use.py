"""Every host's command on an output folder that holds files already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segcube.core import Case, Prediction
from segcube.formats.nifti import describe_origin, is_written_by_segcube, read_grid, write_label_map
from segcube.phantoms import PhantomSet, write_phantoms
from segcube.release.trial.launch import run_child
from segcube.release.trial.trial import Workload, prepare
from segcube.spec.challenges import load_challenge
from segcube.spec.hosts import HOSTS, Host

STARTERS = Path(__file__).parents[3] / "weights"
DIFFERENT = [host for host in HOSTS if host.name in ("mlcube-weights", "medperf-0.2", "brats-2024", "mbas")]
"""Hosts that mount output and parameters in different ways; real_hosts runs them all."""
LIMIT_S = 600.0
"""So that a run that hangs fails."""


def workload_for(host: Host, folder: Path) -> tuple[Workload, str]:
    """A starter with a case of its challenge, and the name of the case's map."""
    key, starter = ("mbas2024", "mbas") if host.name.startswith("mbas") else ("brats2023-gli", "brats")
    challenge = load_challenge(key)
    [case] = write_phantoms(PhantomSet(challenge, 1, 0), folder, edge=16)
    workload = Workload(starter, STARTERS / f"{starter}-starter", key, folder / "data")
    return workload, challenge.output_name(case)


def write_earlier_map(reference: Path, file: Path) -> None:
    grid, forms = read_grid(reference)
    labels_xyz = np.ones(grid.shape, dtype=np.uint8)
    earlier = Prediction(Case("earlier", {}, ""), labels_xyz, grid, forms)
    write_label_map(earlier, file, describe_origin("0.0.1", "f00d", labels_xyz))


@pytest.mark.parametrize("host", DIFFERENT, ids=lambda host: host.name)
def test_a_host_may_run_twice_but_not_replace_foreign_files(host, tmp_path):
    workload, name = workload_for(host, tmp_path / "cases")
    trial = prepare(host, workload, tmp_path / "trial")
    file = trial.folder("output") / name

    file.write_bytes(b"an expert's labels")
    ended = run_child(trial, tmp_path / "first", LIMIT_S)
    assert ended.code == 2, ended.log
    assert name in ended.log
    assert [path.read_bytes() for path in file.parent.iterdir()] == [b"an expert's labels"]

    file.unlink()
    write_earlier_map(next(workload.data.rglob("*.nii.gz")), file)
    earlier = file.read_bytes()
    ended = run_child(trial, tmp_path / "second", LIMIT_S)
    assert ended.code == 0, ended.log
    assert is_written_by_segcube(file)
    assert file.read_bytes() != earlier
