"""Hosts: how each starts the container, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Content: TypeAlias = Literal["data", "output", "parameters", "weights", "temporary", "nothing"]
"""What lies in a mounted folder; nothing is a folder that the host makes and leaves empty."""


@dataclass(frozen=True)
class Mount:
    """A folder of the host, or a single file of it, inside the container."""

    content: Content
    target: str
    read_only: bool = False
    file: str | None = None
    """For parameters: the name that the file has in the mounted folder."""
    alone: bool = False
    """The file itself is mounted at the target, not its folder."""


@dataclass(frozen=True)
class Host:
    """How one host starts an image."""

    name: str
    who: str
    """The host in words."""
    mounts: tuple[Mount, ...]
    command: tuple[str, ...] = ()
    """What stands behind the image's name."""
    user: Literal["image", "caller", "stranger"] = "image"
    """The image's own user, the calling one's uid:gid, or one that nobody knows."""
    network: bool = False
    flags: tuple[str, ...] = ()
    """Further options of `docker run`."""


_BARE = (Mount("data", "/input", read_only=True), Mount("output", "/output"))
_MLCUBE_COMMAND = (
    "infer",
    "--data_path=/mlcube_io0",
    "--parameters_file=/mlcube_io1/parameters.yaml",
    "--output_path=/mlcube_io2",
)
_MLCOMMONS = "/mlcommons/volumes"
_MLCOMMONS_FOLDERS = (
    Mount("data", f"{_MLCOMMONS}/data", read_only=True),
    Mount("output", f"{_MLCOMMONS}/predictions"),
    Mount("temporary", "/tmp"),
)


def _mlcube(*, read_only: bool, parameters: str = "parameters.yaml") -> tuple[Mount, ...]:
    return (
        Mount("data", "/mlcube_io0", read_only),
        Mount("parameters", "/mlcube_io1", read_only, file=parameters),
        Mount("output", "/mlcube_io2"),
    )


def _parameters(name: str) -> Mount:
    """MedPerf mounts the file itself."""
    return Mount("parameters", f"{_MLCOMMONS}/parameters/{name}", read_only=True, file=name, alone=True)


HOSTS = (
    Host(
        name="mlcube",
        who="mlcube run, 0.0.9",
        mounts=_mlcube(read_only=False),
        command=_MLCUBE_COMMAND,
        network=True,
        flags=("--shm-size", "4g"),
    ),
    Host(
        name="mlcube-weights",
        who="mlcube run, 0.0.9, with additional files",
        mounts=(
            Mount("data", "/mlcube_io0"),
            Mount("parameters", "/mlcube_io1", file="parameters.yaml"),
            Mount("weights", "/mlcube_io2"),
            Mount("output", "/mlcube_io3"),
        ),
        command=(*_MLCUBE_COMMAND[:3], "--weights=/mlcube_io2", "--output_path=/mlcube_io3"),
        network=True,
        flags=("--shm-size", "4g"),
    ),
    Host(
        name="medperf-0.1.3",
        who="MedPerf 0.1.0 to 0.1.3 (BraTS 2023 and 2024)",
        mounts=_mlcube(read_only=True),
        command=_MLCUBE_COMMAND,
        user="caller",
        flags=("--shm-size", "4g"),
    ),
    Host(
        name="medperf-0.1.6",
        who="MedPerf 0.1.4 to 0.1.6",
        mounts=(*_mlcube(read_only=True), Mount("temporary", "/tmp")),
        command=(
            "infer",
            "--data_path=/mlcube_io0/",
            "--parameters_file=/mlcube_io1/parameters.yaml",
            "--output_path=/mlcube_io2/",
        ),
        user="caller",
        flags=("--shm-size", "4g"),
    ),
    Host(
        name="medperf-0.2",
        who="MedPerf 0.2 and 0.3, with the command of container_config.yaml",
        mounts=(*_MLCOMMONS_FOLDERS, _parameters("parameters_file.yaml")),
        command=(
            "infer",
            "--data_path",
            f"{_MLCOMMONS}/data",
            "--parameters_file",
            f"{_MLCOMMONS}/parameters/parameters_file.yaml",
            "--output_path",
            f"{_MLCOMMONS}/predictions",
        ),
        user="caller",
        flags=("--shm-size", "4g"),
    ),
    Host(
        name="medperf-0.2-bare",
        who="MedPerf 0.2 and 0.3, without a command, with additional files",
        mounts=(
            *_MLCOMMONS_FOLDERS,
            _parameters("parameters.yaml"),
            Mount("weights", f"{_MLCOMMONS}/additional_files", read_only=True),
        ),
        user="caller",
    ),
    Host(
        name="brats-2024",
        who="the BraTS orchestrator, images up to 2024",
        mounts=(
            Mount("data", "/mlcube_io0"),
            Mount("weights", "/mlcube_io1"),
            Mount("output", "/mlcube_io2"),
            Mount("nothing", "/mlcube_io3", file="dummy.yml"),
        ),
        command=(
            "infer",
            "--data_path=/mlcube_io0",
            "--output_path=/mlcube_io2",
            "--checkpoint_dir=/mlcube_io1",
            "--parameters_file=/mlcube_io3/dummy.yml",
        ),
        user="caller",
        flags=("--shm-size", "4g"),
    ),
    Host(
        name="brats-2025",
        who="BraTS 2025 and 2026, and the orchestrator for them",
        mounts=_BARE,
        user="caller",
        flags=("--memory", "16G", "--shm-size", "4g"),
    ),
    Host(
        name="mbas",
        who="MBAS 2024",
        mounts=(Mount("data", "/input"), Mount("output", "/output")),
        command=("predict.py", "--model_pth", "./save_pths/test.pth", "--gpu", "0"),
        network=True,
    ),
    Host(
        name="mbas-python",
        who="MBAS 2024, its script by path",
        mounts=(Mount("data", "/input"), Mount("output", "/output")),
        command=(
            "python3",
            "/workspace/predict.py",
            "--model_pth",
            "./save_pths/test.pth",
            "--input_dir",
            "/input",
            "--output_dir",
            "/output",
        ),
        network=True,
    ),
    Host(name="docker", who="a person: docker run IMAGE", mounts=_BARE, network=True),
    Host(
        name="docker-infer",
        who="a person: docker run IMAGE infer ...",
        mounts=(Mount("data", "/scans", read_only=True), Mount("output", "/maps")),
        command=("infer", "--data-path=/scans", "--output-path=/maps"),
        network=True,
    ),
    Host(
        name="sealed",
        who="the strictest: read-only root, no capabilities, an unknown user, 64 kB of shared memory",
        mounts=_BARE,
        user="stranger",
        flags=(
            "--read-only",
            "--tmpfs=/tmp",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--shm-size=64k",
            "--env=HOME=/",
        ),
    ),
)


def host_names() -> tuple[str, ...]:
    """The hosts' names, in the table's order."""
    return tuple(host.name for host in HOSTS)
