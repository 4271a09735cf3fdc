"""Table of hosts: the command line, mounts and container options with which each starts an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from segcube.core import EnvironmentFault, StrictModel, read_model

Content: TypeAlias = Literal["data", "output", "parameters", "weights", "temporary", "nothing"]
"""What a mounted folder contains; nothing is a folder that the host creates and leaves empty."""
Words: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(str.split)]
"""Words of a command line, written as one text."""


class Mount(StrictModel):
    """A folder or a single file of the host, mounted into the container."""

    content: Content
    target: str
    read_only: bool = False
    file: str | None = None
    """Name of the file in the mounted folder."""
    single_file: Annotated[bool, Field(serialization_alias="alone")] = False
    """Mount the file itself at the target instead of its folder."""


class Host(StrictModel):
    """How one host starts an image."""

    name: str
    description: Annotated[str, Field(serialization_alias="who")]
    """The host and its versions, for people."""
    mounts: tuple[Mount, ...]
    command: Words = ()
    """Arguments after the image's name."""
    user: Literal["image", "caller", "unknown"] = "image"
    """The image's user, the calling user's uid:gid, or a uid without an entry in /etc/passwd."""
    network: bool = False
    flags: Words = ()
    """Further options of `docker run`."""


class _Table(StrictModel):
    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]


HOSTS = read_model(Path(__file__).parent / "data" / "hosts.yaml", _Table, EnvironmentFault).hosts


def host_names() -> tuple[str, ...]:
    """Return the hosts' names, in the table's order."""
    return tuple(host.name for host in HOSTS)
