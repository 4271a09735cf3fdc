"""Table of hosts: the command line, mounts and container options with which each starts an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Content: TypeAlias = Literal["data", "output", "parameters", "weights", "temporary", "nothing"]
"""What a mounted folder contains; nothing is a folder that the host creates and leaves empty."""


@dataclass(frozen=True)
class Mount:
    """A folder or a single file of the host, mounted into the container."""

    content: Content
    target: str
    read_only: bool = False
    file: str | None = None
    """Name of the file in the mounted folder."""
    single_file: bool = False
    """Mount the file itself at the target instead of its folder."""


@dataclass(frozen=True)
class Host:
    """How one host starts an image."""

    name: str
    description: str
    """The host and its versions, for people."""
    mounts: tuple[Mount, ...]
    command: tuple[str, ...] = ()
    """Arguments after the image's name."""
    user: Literal["image", "caller", "unknown"] = "image"
    """The image's user, the calling user's uid:gid, or a uid without an entry in /etc/passwd."""
    network: bool = False
    flags: tuple[str, ...] = ()
    """Further options of `docker run`."""


_BARE = (Mount("data", "/input", read_only=True), Mount("output", "/output"))
_MBAS = (Mount("data", "/input"), Mount("output", "/output"))
_MLCUBE_COMMAND = "infer --data_path=/mlcube_io0 --parameters_file=/mlcube_io1/parameters.yaml"
_SHARED_MEMORY = ("--shm-size", "4g")
_MLCOMMONS = "/mlcommons/volumes"
_MLCOMMONS_FOLDERS = (
    Mount("data", f"{_MLCOMMONS}/data", read_only=True),
    Mount("output", f"{_MLCOMMONS}/predictions"),
    Mount("temporary", "/tmp"),
)


def _mlcube(*, read_only: bool) -> tuple[Mount, ...]:
    return (
        Mount("data", "/mlcube_io0", read_only),
        Mount("parameters", "/mlcube_io1", read_only, file="parameters.yaml"),
        Mount("output", "/mlcube_io2"),
    )


def _parameters(name: str) -> Mount:
    """Mount a single parameters file, as MedPerf does."""
    return Mount("parameters", f"{_MLCOMMONS}/parameters/{name}", read_only=True, file=name, single_file=True)


def _words(command: str) -> tuple[str, ...]:
    return tuple(command.split())


HOSTS = (
    Host(
        name="mlcube",
        description="mlcube run, 0.0.9",
        mounts=_mlcube(read_only=False),
        command=_words(f"{_MLCUBE_COMMAND} --output_path=/mlcube_io2"),
        network=True,
        flags=_SHARED_MEMORY,
    ),
    Host(
        name="mlcube-weights",
        description="mlcube run, 0.0.9, with additional files",
        mounts=(
            *_mlcube(read_only=False)[:2],
            Mount("weights", "/mlcube_io2"),
            Mount("output", "/mlcube_io3"),
        ),
        command=_words(f"{_MLCUBE_COMMAND} --weights=/mlcube_io2 --output_path=/mlcube_io3"),
        network=True,
        flags=_SHARED_MEMORY,
    ),
    Host(
        name="medperf-0.1.3",
        description="MedPerf 0.1.0 to 0.1.3 (BraTS 2023 and 2024)",
        mounts=_mlcube(read_only=True),
        command=_words(f"{_MLCUBE_COMMAND} --output_path=/mlcube_io2"),
        user="caller",
        flags=_SHARED_MEMORY,
    ),
    Host(
        name="medperf-0.1.6",
        description="MedPerf 0.1.4 to 0.1.6",
        mounts=(*_mlcube(read_only=True), Mount("temporary", "/tmp")),
        command=_words(
            "infer --data_path=/mlcube_io0/ --parameters_file=/mlcube_io1/parameters.yaml"
            " --output_path=/mlcube_io2/"
        ),
        user="caller",
        flags=_SHARED_MEMORY,
    ),
    Host(
        name="medperf-0.2",
        description="MedPerf 0.2 and 0.3, with the command of container_config.yaml",
        mounts=(*_MLCOMMONS_FOLDERS, _parameters("parameters_file.yaml")),
        command=_words(
            f"infer --data_path {_MLCOMMONS}/data"
            f" --parameters_file {_MLCOMMONS}/parameters/parameters_file.yaml"
            f" --output_path {_MLCOMMONS}/predictions"
        ),
        user="caller",
        flags=_SHARED_MEMORY,
    ),
    Host(
        name="medperf-0.2-bare",
        description="MedPerf 0.2 and 0.3, without a command, with additional files",
        mounts=(
            *_MLCOMMONS_FOLDERS,
            _parameters("parameters.yaml"),
            Mount("weights", f"{_MLCOMMONS}/additional_files", read_only=True),
        ),
        user="caller",
    ),
    Host(
        name="brats-2024",
        description="the BraTS orchestrator, images up to 2024",
        mounts=(
            Mount("data", "/mlcube_io0"),
            Mount("weights", "/mlcube_io1"),
            Mount("output", "/mlcube_io2"),
            Mount("nothing", "/mlcube_io3", file="dummy.yml"),
        ),
        command=_words(
            "infer --data_path=/mlcube_io0 --output_path=/mlcube_io2 --checkpoint_dir=/mlcube_io1"
            " --parameters_file=/mlcube_io3/dummy.yml"
        ),
        user="caller",
        flags=_SHARED_MEMORY,
    ),
    Host(
        name="brats-2025",
        description="BraTS 2025 and 2026, and the orchestrator for them",
        mounts=_BARE,
        user="caller",
        flags=("--memory", "16G", *_SHARED_MEMORY),
    ),
    Host(
        name="mbas",
        description="MBAS 2024",
        mounts=_MBAS,
        command=_words("predict.py --model_pth ./save_pths/test.pth --gpu 0"),
        network=True,
    ),
    Host(
        name="mbas-python",
        description="MBAS 2024, script given by path",
        mounts=_MBAS,
        command=_words(
            "python3 /workspace/predict.py --model_pth ./save_pths/test.pth --input_dir /input"
            " --output_dir /output"
        ),
        network=True,
    ),
    Host(name="docker", description="docker run IMAGE", mounts=_BARE, network=True),
    Host(
        name="docker-infer",
        description="docker run IMAGE infer ...",
        mounts=(Mount("data", "/scans", read_only=True), Mount("output", "/maps")),
        command=_words("infer --data-path=/scans --output-path=/maps"),
        network=True,
    ),
    Host(
        name="sealed",
        description="strictest: read-only root, no capabilities, unknown user, 64 kB of shared memory",
        mounts=_BARE,
        user="unknown",
        flags=_words(
            "--read-only --tmpfs=/tmp --cap-drop=ALL --security-opt=no-new-privileges --shm-size=64k"
            " --env=HOME=/"
        ),
    ),
)


def host_names() -> tuple[str, ...]:
    """Return the hosts' names, in the table's order."""
    return tuple(host.name for host in HOSTS)
