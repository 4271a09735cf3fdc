"""The documents by which MLCube, MedPerf and the BraTS orchestrator start an image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from segcube.spec.challenges import Challenge

SHM = "4g"
VOLUMES = "/mlcommons/volumes"
PARAMETERS = f"{VOLUMES}/parameters/parameters_file.yaml"
GPUS = "${oc.select:platform.gpus.${platform.accelerator_count},all}"
"""Value of `docker run --gpus` in mlcube.yaml: no GPU if accelerator_count is 0, else all.

`mlcube run --gpus N` replaces it. In gpu_args, Docker would get the option twice.
"""


def mlcube_config(image: str) -> dict[str, Any]:
    """Return the content of mlcube.yaml, for MLCube 0.0.9 and MedPerf 0.1.

    It mounts workspace/additional_files as the submission.
    """
    # MedPerf needs a space before the size of shared memory, not "="
    memory = f"--shm-size {SHM}"
    docker = {"image": image, "--gpus": GPUS, "gpu_args": memory, "cpu_args": memory}
    inputs = {
        "data_path": "data/",
        "parameters_file": {"type": "file", "default": "parameters.yaml"},
        "weights": "additional_files/",
    }
    outputs = {"output_path": {"type": "directory", "default": "predictions"}}
    return {
        "name": "segcube",
        "description": "Segmentation folds as a challenge submission",
        "authors": [{"name": "The segcube developers"}],
        "platform": {"accelerator_count": 1, "gpus": {"0": None}},
        "docker": docker,
        "tasks": {"infer": {"parameters": {"inputs": inputs, "outputs": outputs}}},
    }


def container_config(image: str) -> dict[str, Any]:
    """Return the content of container_config.yaml, for MedPerf 0.2 and later.

    It mounts the additional files as the submission.
    """
    weights = f"{VOLUMES}/additional_files"
    volumes = {
        "data_path": {"mount_path": f"{VOLUMES}/data", "type": "directory"},
        "parameters_file": {"mount_path": PARAMETERS, "type": "file"},
        "additional_files": {"mount_path": weights, "type": "directory"},
    }
    command = ["infer", "--data_path", f"{VOLUMES}/data", "--parameters_file", PARAMETERS]
    command += ["--weights", weights, "--output_path", f"{VOLUMES}/predictions"]
    output = {"output_path": {"mount_path": f"{VOLUMES}/predictions", "type": "directory"}}
    infer = {
        "input_volumes": volumes,
        "output_volumes": output,
        "run_args": {"shm_size": SHM, "command": command},
    }
    return {"container_type": "DockerImage", "image": image, "tasks": {"infer": infer}}


UNKNOWN = "N/A"


@dataclass(frozen=True)
class Publication:
    """Who published an algorithm and where, for the BraTS orchestrator."""

    authors: str = UNKNOWN
    paper: str = UNKNOWN
    """A URL."""
    manuscript: str = UNKNOWN
    """URL of the challenge's paper."""
    rank: str = UNKNOWN
    zenodo: str | None = None
    """Zenodo record of the weights; None when they are in the image."""


def orchestrator_entry(image: str, challenge: Challenge, publication: Publication) -> dict[str, Any]:
    """Return the entry of an algorithm under the orchestrator's `algorithms`.

    The orchestrator starts the image with arguments up to the year 2024, and without later; the year is that
    of the challenge's key.
    """
    year = re.search(r"\d{4}", challenge.key)
    separator = challenge.channels[0].suffixes[0][0]
    meta = {
        "authors": publication.authors,
        "paper": publication.paper,
        "challenge": challenge.title,
        "challenge_manuscript": publication.manuscript,
        "rank": publication.rank,
        "year": int(year.group()) if year else 2025,
    }
    run_args = {
        "docker_image": image,
        "input_name_schema": challenge.made_case.replace("{number:", "{id:"),
        "requires_root": False,
        "cpu_compatible": True,
        "subject_modality_separator": separator,
    }
    files = {"record_id": publication.zenodo, "param_name": ["weights"]} if publication.zenodo else None
    return {"meta": meta, "run_args": run_args, "additional_files": files}
