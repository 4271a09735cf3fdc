"""Backends: a device and the library that drives it; torch is imported only by those that need it."""

from segcube.backends.choose import Choice, choose_backend, cpu_instead, open_backend
from segcube.backends.malloc import keep_freed_memory
from segcube.backends.members import MemberFile, branch_files, member_files
from segcube.backends.onto import Onto
from segcube.backends.protocol import AddingNetwork, Backend, DeviceMemoryError, Network

__all__ = [
    "AddingNetwork",
    "Backend",
    "Choice",
    "DeviceMemoryError",
    "MemberFile",
    "Network",
    "Onto",
    "branch_files",
    "choose_backend",
    "cpu_instead",
    "keep_freed_memory",
    "member_files",
    "open_backend",
]
