"""Who starts the image, and how; what the entrypoint makes of it."""

from segcube.hosts.command import command_of
from segcube.hosts.places import (
    BAKED,
    BARE_MOUNTS,
    CARRIED,
    DEFAULT_PARAMETERS,
    ENTRYPOINT,
    PACKAGE,
    ROOT,
    UNDER,
    BareMounts,
)
from segcube.hosts.schema import Host, Mount
from segcube.hosts.table import HOSTS, host_names

__all__ = [
    "BAKED",
    "BARE_MOUNTS",
    "CARRIED",
    "DEFAULT_PARAMETERS",
    "ENTRYPOINT",
    "HOSTS",
    "PACKAGE",
    "ROOT",
    "UNDER",
    "BareMounts",
    "Host",
    "Mount",
    "command_of",
    "host_names",
]
