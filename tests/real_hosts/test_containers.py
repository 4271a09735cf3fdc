"""Every host of the table, in containers if an engine responds, else as processes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from segcube.release.trial.hosts import Launcher, check_hosts
from segcube.release.trial.trial import Outcome, Workload, phantom_workloads, prepare
from segcube.spec.hosts import BUILT_IN_WEIGHTS, HOSTS, host_names

from .machine import engine_here


@pytest.fixture(scope="session")
def workloads(tmp_path_factory) -> list[Workload]:
    """Both starters, each with a synthetic case."""
    return phantom_workloads(BUILT_IN_WEIGHTS, tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="session")
def outcomes(workloads, request) -> dict[str, list[Outcome]]:
    """Every host's outcomes, tried one after another so that their labels are compared."""
    engine = engine_here()
    start = Launcher(engine, request.getfixturevalue("image")) if engine else Launcher()
    tried = check_hosts(HOSTS, workloads, start)
    return {host.name: [o for o in tried if o.host is host] for host in HOSTS}


@pytest.mark.parametrize("name", host_names())
def test_a_host_runs_both_starters_and_gets_valid_maps(name, outcomes, exercised):
    assert len(outcomes[name]) == 2
    assert [(o.submission, o.verdict, o.why) for o in outcomes[name]] == [
        (o.submission, "passed", "") for o in outcomes[name]
    ]
    exercised(f"{'container' if engine_here() else 'process'} {name}")


def test_the_strictest_host_gets_the_same_bytes_as_docker_run(engine, image, workloads, tmp_path):
    maps: dict[str, dict[str, bytes]] = {}
    for name in ("docker", "sealed"):
        host = next(host for host in HOSTS if host.name == name)
        trial = prepare(host, workloads[0], tmp_path / name)
        tmp_path.chmod(0o755)
        assert engine.run(image, trial, 3600).code == 0
        maps[name] = {file.name: file.read_bytes() for file in trial.folder("output").iterdir()}
    assert maps["docker"]
    assert maps["sealed"] == maps["docker"]


def test_without_arguments_and_mounts_it_lists_the_known_ones(engine, image):
    ended = subprocess.run(
        [engine.program, "run", "--rm", image], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "/input and /output" in ended.stderr


def test_the_image_holds_neither_tests_nor_sources_of_wheels(engine, image):
    words = [engine.program, "run", "--rm", "--entrypoint", "ls", image, "/app", "/"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert {"project", "weights"} <= set(listed)
    assert not {"tests", "wheels", ".git", "benchmarks"} & set(listed)


def test_the_image_has_kernels_for_its_processor(engine, image):
    asked = "from segcube.backends.native import kernels_summary; print(kernels_summary())"
    words = [engine.program, "run", "--rm", "--entrypoint", "python3", image, "-c", asked]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.startswith("avx")


def test_the_image_reads_png(engine, image):
    code = "from PIL import features; print(features.check('zlib'))"
    words = [engine.program, "run", "--rm", "--entrypoint", "python3", image, "-c", code]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "True\n"


def test_the_labels_describe_the_image(engine, image):
    words = [engine.program, "image", "inspect", "--format", "{{json .Config.Labels}}", image]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    for label in (
        "image.version",
        "image.licenses",
        "image.source",
        "torch.cuda",
        "torch.gpus",
        "torch.least-driver",
    ):
        assert f'{label}":"' in printed


def test_maps_belong_to_the_owner_of_the_folder(engine, image, workloads, tmp_path):
    host = next(host for host in HOSTS if host.name == "docker")
    trial = prepare(host, workloads[0], tmp_path / "owned")
    output: Path = trial.folder("output")
    owner = os.getuid() or 1000
    os.chown(output, owner, os.getgid())
    assert engine.run(image, trial, 3600).code == 0
    assert [file.stat().st_uid for file in output.iterdir()] == [owner]
