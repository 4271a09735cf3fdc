"""What there is to say of a host."""

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
