"""The one way into other people's checkpoints."""

from __future__ import annotations

import gc
import mmap
import struct
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import torch

from segcube.core import EnvironmentFault
from segcube.importers.checkpoint.bounds import Budget, check_tree
from segcube.importers.checkpoint.inert import RefusedPickle
from segcube.importers.checkpoint.machine import Cursor, run_pickle
from segcube.importers.checkpoint.tensors import Storage, view_bytes
from segcube.importers.checkpoint.unpack import open_zip
from segcube.importers.checkpoint.world import FileWorld

ZIP_START = b"PK"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Of a zip's entry: the signature, and at its end the lengths of the name and the extra field."""
LOCAL_SIGNATURE = b"PK\3\4"
LOCKED = 1
COUNT = struct.Struct("<q")


def read_layout(data: memoryview) -> Any:
    """The tree of a checkpoint in memory, writable; tensors are views of that memory.

    Raises RefusedPickle.
    """
    tree = _read(data, Budget(len(data)))
    check_tree(tree)
    return tree


def _read(data: memoryview, budget: Budget, nested: bool = False) -> Any:
    """nested: whether the checkpoint lies within another one."""
    if bytes(data[:2]) == ZIP_START:
        return _read_zip(data, budget)

    def read_nested(inner: bytes) -> Any:
        return _read(memoryview(bytearray(inner)), budget, nested=True)

    cursor = Cursor(data)
    first = run_pickle(cursor, FileWorld(budget, nested=None if nested else read_nested))
    return _read_legacy(data, cursor, budget) if type(first) is int and first == LEGACY_MAGIC else first


def _read_legacy(data: memoryview, cursor: Cursor, budget: Budget) -> Any:
    """Protocol, system and tree as a pickle each, then the keys of the storages, then their numbers."""
    if run_pickle(cursor, FileWorld(budget)) != LEGACY_PROTOCOL:
        raise RefusedPickle("a checkpoint of torch in an unknown protocol")
    run_pickle(cursor, FileWorld(budget))
    start = cursor.at
    # Where a storage lies is known behind the tree alone: a first pass without numbers finds out
    outline = FileWorld(
        budget, lambda _, dtype, count: Storage(torch.empty(count, dtype=dtype, device="meta"))
    )
    run_pickle(cursor, outline)
    keys = run_pickle(cursor, FileWorld(budget))
    found = _legacy_storages(data, cursor.at, keys, outline.storages)
    return run_pickle(Cursor(data, start), FileWorld(budget, storages=found))


def _legacy_storages(
    data: memoryview, at: int, keys: object, outline: dict[str, Storage]
) -> dict[str, Storage]:
    # Keys of another type could take any time to be put into words
    if not isinstance(keys, list) or not all(type(key) in (str, int) for key in keys):
        raise RefusedPickle("a damaged checkpoint: its storages have no names")
    if sorted(map(str, keys)) != sorted(outline):
        raise RefusedPickle("a damaged checkpoint: its storages are not those of its tree")
    found: dict[str, Storage] = {}
    for key in keys:
        values = outline[str(key)].values
        length = len(values) * values.dtype.itemsize
        if bytes(data[at : at + COUNT.size]) != COUNT.pack(len(values)):
            raise RefusedPickle(f"a damaged checkpoint: its storage {key} is cut off or of another length")
        at += COUNT.size
        found[str(key)] = view_bytes(data[at : at + length], values.dtype, len(values))
        at += length
    return found


@dataclass(frozen=True)
class _Archive:
    """The entries of torch's zip, each as the memory that it lies in."""

    entries: dict[str, memoryview]

    def __post_init__(self) -> None:
        if "data.pkl" not in self.entries:
            raise RefusedPickle("a zip without a data.pkl, so no checkpoint of torch")

    def storage(self, key: str, dtype: torch.dtype, count: int) -> Storage:
        if f"data/{key}" not in self.entries:
            raise RefusedPickle(f"a damaged checkpoint: it has no storage {key}")
        order = bytes(self.entries.get("byteorder", memoryview(b"little")))
        if order not in (b"little", b"big"):
            raise RefusedPickle(f"a checkpoint in the byte order {order[:20]!r}")
        return view_bytes(self.entries[f"data/{key}"], dtype, count, swap=order == b"big")


def _read_zip(data: memoryview, budget: Budget) -> Any:
    archive = _Archive(_entries(data))
    if any(name.startswith("code/") for name in archive.entries):
        raise RefusedPickle("a TorchScript archive, which is code")
    return run_pickle(Cursor(archive.entries["data.pkl"]), FileWorld(budget, archive.storage))


def _entries(data: memoryview) -> dict[str, memoryview]:
    """The entries without the folder that holds them all; plain ones alone, side by side."""
    try:
        with open_zip(cast("IO[bytes]", Cursor(data))) as opened:
            infos = sorted(opened.infolist(), key=lambda info: info.header_offset)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise RefusedPickle(f"a damaged zip: {error}") from error
    found: dict[str, memoryview] = {}
    end = 0
    for info in infos:
        folder, _, name = info.filename.partition("/")
        begin = _begin_of(data, info.header_offset)
        overlaid = info.header_offset < end or name in found
        end = begin + info.file_size
        if overlaid or folder in ("", "..") or info.flag_bits & LOCKED or info.compress_type:
            raise RefusedPickle(f"a zip whose entry {info.filename} is repeated, packed, locked or outside")
        if end > len(data) or info.file_size != info.compress_size:
            raise RefusedPickle(f"a zip whose entry {info.filename} is cut off")
        found[name] = data[begin:end]
    return found


def _begin_of(data: memoryview, header: int) -> int:
    """Where an entry's bytes begin, behind its own header."""
    fixed = bytes(data[header : header + LOCAL_HEADER.size])
    signature, name, extra = LOCAL_HEADER.unpack(fixed) if len(fixed) == LOCAL_HEADER.size else (b"", 0, 0)
    if signature != LOCAL_SIGNATURE:
        raise RefusedPickle("a damaged zip: an entry lies where there is none")
    return header + LOCAL_HEADER.size + name + extra


EXPECTED = "tensors, numpy arrays, plain containers and the settings of known trainers"
LONGEST = 500
"""Letters of an error, which may quote the file."""
FIX = "save the state_dict alone, or fetch the file again"


def open_checkpoint(file: Path) -> Any:
    """The tree of a checkpoint: plain values, tensors, arrays, and `Inert` for listed foreign classes.

    Reads torch's zip and older layouts (.pth, .pt, .ckpt, .model) and bare pickles (.pkl). Tensors are views
    of the file, read when they are used, and may be changed: the file is not. Nothing that the file holds is
    run. Raises EnvironmentFault for a missing, empty or damaged file and for names that are not on the list.
    """
    try:
        with file.open("rb") as opened:
            data = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is empty"
        raise EnvironmentFault(f"cannot be read: {told}", file=file, expected="a checkpoint") from error
    try:
        with _without_collector():
            return read_layout(data)
    except RefusedPickle as error:
        raise EnvironmentFault(
            f"holds {str(error)[:LONGEST]}", file=file, expected=EXPECTED, hint=FIX
        ) from error


@contextmanager
def _without_collector() -> Generator[None, None, None]:
    """Pause Python's collector of circles, which goes through all values again and again as they grow."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
