"""MedPerf in the version that is on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from segcube.release.check import check_output
from segcube.release.pack import Publication
from segcube.release.pack.packing import pack_submission
from segcube.release.trial.trial import Workload, phantom_workloads
from segcube.spec.hosts import BUILT_IN_WEIGHTS

from .machine import ROOT
from .medperf.documents import METRICS, PREPARATION, container_of, mlcube_of
from .medperf.program import CONFIG, MedPerf, Model

STAGE = Path(__file__).parent / "medperf"
REGISTRY = os.environ.get("MEDPERF_REGISTRY", "localhost:5000")
RUN_TEST = (0, 3, 0)
"""The first version that tests a container alone."""
DIGESTS = (0, 2, 0)
"""The first version that gets an image's digest from buildx."""


@pytest.fixture
def medperf(engine, tmp_path) -> MedPerf:
    program = shutil.which("medperf")
    if program is None:
        pytest.skip("no medperf on the PATH")
    if engine.program != "docker":
        pytest.skip("MedPerf needs Docker")
    home = tmp_path / "home"
    home.mkdir()
    return MedPerf(program, home)


@pytest.fixture
def workload(tmp_path) -> Workload:
    return phantom_workloads(BUILT_IN_WEIGHTS / "brats-starter", tmp_path / "cases")[0]


@pytest.mark.parametrize("packed", [False, True], ids=["baked in", "additional files"])
def test_medperf_predicts_with_weights(packed, medperf, workload, engine, image, exercised, tmp_path):
    version = medperf.version
    maps = tmp_path / "maps"
    if version >= RUN_TEST:
        medperf.run_test(model_of(image, workload, packed, tmp_path / "model"), workload.data, maps)
    else:
        model = model_of(pushed(engine, image, version), workload, packed, tmp_path / "model")
        stages = write_stages(engine, tmp_path / "stages")
        maps = medperf.test_run(model, stages, workload.data.parent)
    assert check_output(maps, workload.data, workload.challenge).errors == ()
    printed = ".".join(map(str, version))
    exercised(f"medperf {printed}, weights {'as additional files' if packed else 'baked in'}")


def model_of(image: str, workload: Workload, packed: bool, folder: Path) -> Model:
    """The folder that `segcube pack` writes, or the checkout's with the name of the image under test."""
    if packed:
        return Model(pack_submission(workload.weights, image, folder, Publication()).folder)
    shutil.copytree(ROOT / "mlcube", folder)
    for name, section in (("mlcube.yaml", "docker"), (CONFIG, None)):
        content = yaml.safe_load((folder / name).read_text())
        (content[section] if section else content)["image"] = image
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
    return Model(folder)


def pushed(engine, image: str, version: tuple[int, ...]) -> str:
    """The image's name in the registry that `medperf test run` pulls it from."""
    try:
        urlopen(f"http://{REGISTRY}/v2/", timeout=10).close()
    except OSError:
        pytest.skip(f"`medperf test run` pulls its images, and no registry answers at {REGISTRY}")
    buildx = [engine.program, "buildx", "version"]
    if version >= DIGESTS and subprocess.run(buildx, capture_output=True, check=False).returncode:
        pytest.skip("this MedPerf asks `docker buildx` for an image's digest, and there is none")
    name = f"{REGISTRY}/{image}"
    subprocess.run([engine.program, "tag", image, name], check=True)
    subprocess.run([engine.program, "push", "--quiet", name], check=True)
    return name


def write_stages(engine, folder: Path) -> Path:
    """A benchmark's preparation and metrics: their image in the registry, and both documents of each."""
    name = f"{REGISTRY}/segcube-medperf-stage:under-test"
    assert engine.build(name, STAGE, []) == 0
    subprocess.run([engine.program, "push", "--quiet", name], check=True)
    for stage, tasks in (("preparation", PREPARATION), ("metrics", METRICS)):
        place = folder / stage
        (place / "workspace").mkdir(parents=True)
        (place / "mlcube.yaml").write_text(yaml.safe_dump(mlcube_of(name, tasks), sort_keys=False))
        (place / CONFIG).write_text(yaml.safe_dump(container_of(name, tasks), sort_keys=False))
    return folder
