"""The two files by which MLCube and MedPerf start an image."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LEVEL = 1
"""Weights hardly shrink."""


def write_archive(files: Mapping[str, Path], archive: Path) -> None:
    """Write a .tar.gz of files under the given names, at its root; owners and times are left out."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, file in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = file.stat().st_size
            entry.mode = 0o644
            with file.open("rb") as opened:
                tar.addfile(entry, opened)


SHM = "4g"
VOLUMES = "/mlcommons/volumes"
PARAMETERS = f"{VOLUMES}/parameters/parameters_file.yaml"
GPUS = "${oc.select:platform.gpus.${platform.accelerator_count},all}"
"""MLCube's value of `docker run --gpus`: none for 0 accelerators, which `platform.gpus` lists, and else all.

`mlcube run --gpus N` replaces it. In gpu_args, Docker would get the option twice and ask for GPUs twice.
"""


def mlcube_config(image: str, *, weights: bool, build: bool = False) -> dict[str, Any]:
    """The content of mlcube.yaml for MLCube 0.0.9 and MedPerf 0.1.

    weights: mount workspace/additional_files as the submission. build: build the image from the checkout
    where it is not on the machine.
    """
    docker: dict[str, Any] = {"image": image}
    if build:
        docker |= {"build_context": "..", "build_file": "Dockerfile", "build_strategy": "auto"}
    # MedPerf reads the memory's size with a space, not with "="
    docker |= {"--gpus": GPUS, "gpu_args": f"--shm-size {SHM}", "cpu_args": f"--shm-size {SHM}"}
    inputs: dict[str, Any] = {
        "data_path": "data/",
        "parameters_file": {"type": "file", "default": "parameters.yaml"},
    }
    if weights:
        inputs["weights"] = "additional_files/"
    outputs = {"output_path": {"type": "directory", "default": "predictions"}}
    return {
        "name": "segcube",
        "description": "Segmentation folds as a challenge submission",
        "authors": [{"name": "The segcube developers"}],
        "platform": {"accelerator_count": 1, "gpus": {"0": None}},
        "docker": docker,
        "tasks": {"infer": {"parameters": {"inputs": inputs, "outputs": outputs}}},
    }


def container_config(image: str, *, weights: bool) -> dict[str, Any]:
    """The content of container_config.yaml for MedPerf 0.2 and later.

    weights: mount the additional files as the submission.
    """
    volumes: dict[str, Any] = {
        "data_path": {"mount_path": f"{VOLUMES}/data", "type": "directory"},
        "parameters_file": {"mount_path": PARAMETERS, "type": "file"},
    }
    command = ["infer", "--data_path", f"{VOLUMES}/data", "--parameters_file", PARAMETERS]
    if weights:
        place = f"{VOLUMES}/additional_files"
        volumes["additional_files"] = {"mount_path": place, "type": "directory"}
        command += ["--weights", place]
    command += ["--output_path", f"{VOLUMES}/predictions"]
    output = {"output_path": {"mount_path": f"{VOLUMES}/predictions", "type": "directory"}}
    infer = {
        "input_volumes": volumes,
        "output_volumes": output,
        "run_args": {"shm_size": SHM, "command": command},
    }
    return {"container_type": "DockerImage", "image": image, "tasks": {"infer": infer}}
