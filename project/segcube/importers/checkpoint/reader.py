"""Open a checkpoint: torch's zip and legacy layouts, and bare pickles."""

from __future__ import annotations

import gc
import io
import mmap
import struct
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import torch

from segcube.core import EnvironmentFault
from segcube.importers.archives import open_zip
from segcube.importers.checkpoint.arrays import Storage, make_storage
from segcube.importers.checkpoint.limits import Budget, check_tree
from segcube.importers.checkpoint.machine import run_pickle
from segcube.importers.checkpoint.objects import RefusedPickle

EXPECTED = "tensors, numpy arrays, plain containers and the settings of known trainers"
HINT = "save the state_dict alone, or fetch the file again"
MAX_MESSAGE = 500
"""Letters of an error, which may quote the file."""
ZIP_START = b"PK"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
LEGACY_COUNT = struct.Struct("<q")
LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Of a zip entry: the signature, and the lengths of the name and the extra field."""
LOCAL_SIGNATURE = b"PK\3\4"
ENCRYPTED = 1


def open_checkpoint(file: Path) -> Any:
    """Read the tree of a checkpoint: plain values, tensors, arrays, and `StoredObject` for known classes.

    Reads .pth, .pt, .ckpt, .model and .pkl in torch's zip and legacy layouts and as bare pickles. Tensors are
    views of the mapped file, read on use; changes to them do not reach the file. Raises EnvironmentFault for
    a missing, empty or damaged file and for names that are not allowed.
    """
    try:
        with file.open("rb") as opened:
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is empty"
        raise EnvironmentFault(f"cannot be read: {reason}", file=file, expected="a checkpoint") from error
    try:
        with _paused_collector():
            tree = _read(cast("IO[bytes]", mapped), memoryview(mapped), Budget(len(mapped)))
            check_tree(tree)
    except RefusedPickle as error:
        found = f"holds {str(error)[:MAX_MESSAGE]}"
        raise EnvironmentFault(found, file=file, expected=EXPECTED, hint=HINT) from error
    return tree


@contextmanager
def _paused_collector() -> Generator[None, None, None]:
    """Pause Python's cyclic garbage collector, which visits all values again and again while they grow."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(source: IO[bytes], data: memoryview, budget: Budget, is_nested: bool = False) -> Any:
    """source, data: the same bytes, as a file and as writable memory."""
    if bytes(data[:2]) == ZIP_START:
        return _read_zip(source, data, budget)

    def read_nested(content: object) -> Any:
        if not isinstance(content, bytes):
            raise RefusedPickle("a storage without bytes")
        budget.count_bytes(len(content))
        inner = io.BytesIO(content)
        return _read(inner, inner.getbuffer(), budget, is_nested=True)

    first = run_pickle(source, budget, read_nested=None if is_nested else read_nested)
    return _read_legacy(source, data, budget) if type(first) is int and first == LEGACY_MAGIC else first


def _read_legacy(source: IO[bytes], data: memoryview, budget: Budget) -> Any:
    """Read the pickles of protocol, system, tree and storage keys, then the numbers of the storages."""
    if run_pickle(source, budget) != LEGACY_PROTOCOL:
        raise RefusedPickle("a checkpoint of torch in an unknown protocol")
    run_pickle(source, budget)
    start = source.tell()
    outline: dict[str, Storage] = {}

    def outline_storage(key: str, dtype: torch.dtype, count: int) -> Storage:
        return outline.setdefault(key, Storage(torch.empty(count, dtype=dtype, device="meta")))

    # The positions of the storages follow from the whole tree, so a first pass runs without their numbers
    run_pickle(source, budget, outline_storage)
    keys = run_pickle(source, budget)
    found = _legacy_storages(data, source.tell(), keys, outline)
    source.seek(start)
    return run_pickle(source, budget, lambda key, _dtype, _count: found[key])


def _legacy_storages(
    data: memoryview, at: int, keys: object, outline: dict[str, Storage]
) -> dict[str, Storage]:
    # Formatting keys of another type could take any time
    if not isinstance(keys, list) or not all(type(key) in (str, int) for key in keys):
        raise RefusedPickle("a damaged checkpoint: its storages have no names")
    if sorted(map(str, keys)) != sorted(outline):
        raise RefusedPickle("a damaged checkpoint: its storages are not those of its tree")
    found: dict[str, Storage] = {}
    for key in keys:
        values = outline[str(key)].values
        length = len(values) * values.dtype.itemsize
        if bytes(data[at : at + LEGACY_COUNT.size]) != LEGACY_COUNT.pack(len(values)):
            raise RefusedPickle(f"a damaged checkpoint: its storage {key} is cut off or of another length")
        at += LEGACY_COUNT.size
        found[str(key)] = make_storage(data[at : at + length], values.dtype, len(values))
        at += length
    return found


def _read_zip(source: IO[bytes], data: memoryview, budget: Budget) -> Any:
    entries = _zip_entries(source, data)
    if "data.pkl" not in entries:
        raise RefusedPickle("a zip without a data.pkl, so no checkpoint of torch")
    if any(name.startswith("code/") for name in entries):
        raise RefusedPickle("a TorchScript archive, which is code")

    def storage(key: str, dtype: torch.dtype, count: int) -> Storage:
        if f"data/{key}" not in entries:
            raise RefusedPickle(f"a damaged checkpoint: it has no storage {key}")
        order = bytes(entries.get("byteorder", memoryview(b"little")))
        if order not in (b"little", b"big"):
            raise RefusedPickle(f"a checkpoint in the byte order {order[:20]!r}")
        return make_storage(entries[f"data/{key}"], dtype, count, swap=order == b"big")

    return run_pickle(io.BytesIO(entries["data.pkl"]), budget, storage)


def _zip_entries(source: IO[bytes], data: memoryview) -> dict[str, memoryview]:
    """Map the uncompressed entries of a zip, without the name of their folder, to their memory."""
    try:
        with open_zip(source) as opened:
            infos = sorted(opened.infolist(), key=lambda info: info.header_offset)
    except (zipfile.BadZipFile, NotImplementedError, OverflowError, ValueError) as error:
        raise RefusedPickle(f"a damaged zip: {error}") from error
    found: dict[str, memoryview] = {}
    end = 0
    for info in infos:
        folder, _, name = info.filename.partition("/")
        begin = _entry_start(data, info.header_offset)
        overlaps = info.header_offset < end or name in found
        end = begin + info.file_size
        if overlaps or folder in ("", "..") or info.flag_bits & ENCRYPTED or info.compress_type:
            message = f"a zip whose entry {info.filename} is repeated, compressed, encrypted or outside"
            raise RefusedPickle(message)
        if end > len(data) or info.file_size != info.compress_size:
            raise RefusedPickle(f"a zip whose entry {info.filename} is cut off")
        found[name] = data[begin:end]
    return found


def _entry_start(data: memoryview, header: int) -> int:
    """Find the first byte of an entry, after its local header."""
    fixed = bytes(data[header : header + LOCAL_HEADER.size])
    signature, name, extra = LOCAL_HEADER.unpack(fixed) if len(fixed) == LOCAL_HEADER.size else (b"", 0, 0)
    if signature != LOCAL_SIGNATURE:
        raise RefusedPickle("a damaged zip: an entry begins where there is none")
    return header + LOCAL_HEADER.size + name + extra
