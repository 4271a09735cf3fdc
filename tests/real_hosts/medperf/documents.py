"""Preparation and metrics as MedPerf's documents, in both of its formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

VOLUMES = "/mlcommons/volumes"


@dataclass(frozen=True)
class Task:
    """What a task reads, the folders that it writes, and its one file, if any."""

    inputs: tuple[str, ...]
    folders: tuple[str, ...] = ()
    file: str | None = None


PREPARATION = {
    "prepare": Task(("data_path", "labels_path"), folders=("output_path", "output_labels_path")),
    "sanity_check": Task(("data_path", "labels_path")),
    "statistics": Task(("data_path", "labels_path"), file="output_path"),
}
METRICS = {"evaluate": Task(("predictions", "labels"), file="output_path")}


def mlcube_of(image: str, tasks: dict[str, Task]) -> dict[str, Any]:
    """The content of mlcube.yaml, for MedPerf 0.1."""
    return {
        "name": "stage",
        "platform": {"accelerator_count": 0},
        "docker": {"image": image},
        "tasks": {name: {"parameters": _parameters(task)} for name, task in tasks.items()},
    }


def container_of(image: str, tasks: dict[str, Task]) -> dict[str, Any]:
    """The content of container_config.yaml, for MedPerf 0.2 and later."""
    return {
        "container_type": "DockerImage",
        "image": image,
        "tasks": {name: _volumes(name, task) for name, task in tasks.items()},
    }


def _parameters(task: Task) -> dict[str, Any]:
    outputs: dict[str, Any] = {name: {"type": "directory", "default": name} for name in task.folders}
    if task.file:
        outputs[task.file] = {"type": "file", "default": f"{task.file}.yaml"}
    inputs = {name: f"{name}/" for name in task.inputs}
    return {"inputs": inputs, "outputs": outputs} if outputs else {"inputs": inputs}


def _volumes(name: str, task: Task) -> dict[str, Any]:
    inputs = {each: {"mount_path": f"{VOLUMES}/{each}", "type": "directory"} for each in task.inputs}
    outputs = {each: {"mount_path": f"{VOLUMES}/{each}", "type": "directory"} for each in task.folders}
    if task.file:
        outputs[task.file] = {"mount_path": f"{VOLUMES}/{task.file}.yaml", "type": "file"}
    places = {each: volume["mount_path"] for each, volume in (inputs | outputs).items()}
    command = [name, *(f"--{each}={place}" for each, place in places.items())]
    return {"input_volumes": inputs, "output_volumes": outputs, "run_args": {"command": command}}
