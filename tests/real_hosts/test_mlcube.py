"""MLCube 0.0.9 on this checkout and on a packed submission."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from segcube.release.check import check_output
from segcube.release.pack import Publication
from segcube.release.pack.packing import pack_submission
from segcube.release.trial.trial import phantom_workloads
from segcube.spec.hosts import BUILT_IN_WEIGHTS

from .machine import IMAGE, ROOT

CPU = "-Pplatform.accelerator_count=0"
REAL = ROOT.parent / "shared" / "data"


@pytest.fixture
def checkout(tmp_path, image) -> Path:
    """The checkout's mlcube folder with the name of the image under test."""
    folder = tmp_path / "checkout" / "mlcube"
    shutil.copytree(ROOT / "mlcube", folder)
    content = yaml.safe_load((folder / "mlcube.yaml").read_text())
    content["docker"] |= {"image": image, "build_context": str(ROOT)}
    (folder / "mlcube.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


@pytest.fixture
def docker_words(tmp_path, mlcube) -> Callable[..., list[str]]:
    """What MLCube passes to Docker for the checkout's mlcube.yaml, and further options of `mlcube run`."""
    folder = shutil.copytree(ROOT / "mlcube", tmp_path / "mlcube")
    (tmp_path / "data").mkdir()

    def words(*options: str, image: str = IMAGE) -> list[str]:
        # In the file: MLCube takes the h of -Pdocker.docker=echo for -h
        content = yaml.safe_load((folder / "mlcube.yaml").read_text())
        content["docker"] |= {"docker": "echo", "image": image}
        (folder / "mlcube.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        paths = f"data_path={tmp_path / 'data'}", f"output_path={tmp_path / 'maps'}"
        output = mlcube("run", f"--mlcube={folder}", "--task=infer", *paths, *options)
        [line] = [line for line in output.splitlines() if line.startswith("run ")]
        return shlex.split(line)

    return words


@pytest.fixture(scope="session")
def empty_image(engine) -> Iterator[str]:
    """An image for containers that are never started."""
    name = "segcube:empty"
    build = [engine.program, "build", "--quiet", "--tag", name, "-"]
    subprocess.run(build, input=b"FROM scratch\nLABEL empty=yes\n", capture_output=True, check=True)
    yield name
    subprocess.run([engine.program, "rmi", name], capture_output=True, check=True)


GPU_OPTIONS = [
    ((), [-1]),
    (("--gpus", "2"), [2]),
    (("--gpus", "all"), [-1]),
    ((CPU,), []),
    ((CPU, "--gpus", "1"), [1]),
    (("-Pplatform.accelerator_count=2",), [-1]),
]
"""Options of `mlcube run`, and the GPUs of each request that Docker makes of them; -1 are all."""


@pytest.mark.parametrize(("options", "counts"), GPU_OPTIONS)
def test_docker_gets_the_gpus_option_at_most_once(docker_words, options, counts):
    words = docker_words(*options)
    names = {-1: "all"}
    found = [word for word in words if word.startswith("--gpus")]
    assert found == [f"--gpus={names.get(count, count)}" for count in counts]
    assert words[0] == "run"
    assert words[-4:] == [
        "infer",
        "--data_path=/mlcube_io0",
        "--parameters_file=/mlcube_io1/parameters.yaml",
        "--output_path=/mlcube_io2",
    ]


@pytest.mark.parametrize(("options", "counts"), GPU_OPTIONS)
def test_docker_accepts_the_arguments_of_mlcube(docker_words, empty_image, options, counts):
    """A container that is created and not started needs no GPU, and lists what it would be given."""
    _, *words = docker_words(*options, image=empty_image)
    created = subprocess.run(["docker", "create", *words], capture_output=True, text=True, check=True)
    container = created.stdout.strip()
    try:
        inspect = ["docker", "inspect", "--format", "{{json .HostConfig.DeviceRequests}}", container]
        requests = json.loads(subprocess.run(inspect, capture_output=True, check=True).stdout)
    finally:
        subprocess.run(["docker", "rm", container], capture_output=True, check=True)
    assert [request["Count"] for request in requests or []] == counts


def test_mlcube_configure_builds_the_image(checkout, mlcube, engine, exercised):
    printed = mlcube("configure", f"--mlcube={checkout}", "-Pdocker.build_args.TORCH=cpu")
    assert engine.has(IMAGE), printed
    exercised("mlcube configure")


@pytest.mark.parametrize("index", [0, 1], ids=["brats", "mbas"])
def test_mlcube_run_predicts_synthetic_cases(index, checkout, mlcube, exercised, tmp_path):
    workload = phantom_workloads(BUILT_IN_WEIGHTS, tmp_path / "cases")[index]
    maps = tmp_path / "maps"
    mlcube(
        "run",
        f"--mlcube={checkout}",
        "--task=infer",
        f"data_path={workload.data}",
        f"output_path={maps}",
        CPU,
    )
    assert check_output(maps, workload.data, workload.challenge).errors == ()
    exercised(f"mlcube run, {workload.submission}")


@pytest.mark.skipif(not REAL.is_dir(), reason="no real scans on this machine")
@pytest.mark.parametrize(("folder", "challenge"), [("brats", "brats2023-gli"), ("mbas", "mbas2024")])
def test_mlcube_run_predicts_real_cases(folder, challenge, checkout, mlcube, exercised, tmp_path):
    data, maps = tmp_path / "data", tmp_path / "maps"
    shutil.copytree(REAL / folder, data)
    mlcube("run", f"--mlcube={checkout}", "--task=infer", f"data_path={data}", f"output_path={maps}", CPU)
    assert check_output(maps, data, challenge).errors == ()
    exercised(f"mlcube run on real scans, {challenge}")


def test_mlcube_run_takes_a_packed_folder_with_its_weights(image, mlcube, exercised, tmp_path):
    workload = phantom_workloads(BUILT_IN_WEIGHTS / "brats-starter", tmp_path / "cases")[0]
    packed = pack_submission(workload.weights, image, tmp_path / "packed", Publication())
    maps = tmp_path / "maps"
    words = ("--task=infer", f"data_path={workload.data}", f"output_path={maps}", CPU)
    mlcube("run", f"--mlcube={packed.folder}", *words)
    assert check_output(maps, workload.data, workload.challenge).errors == ()
    exercised("mlcube run, a packed folder")
