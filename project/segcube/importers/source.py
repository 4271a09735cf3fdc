"""The folder that an import reads: given as such, or packed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from segcube.checkpoints.foreign import is_archive, unpack
from segcube.errors import EnvironmentFault
from segcube.scratch import scratch_folder


@contextmanager
def opened_source(source: Path, beside: Path) -> Generator[Path, None, None]:
    """The folder or file of a source; an archive is unpacked until the end, in a folder near `beside`.

    A folder that holds nothing but one folder stands for that one. Raises EnvironmentFault for a source that
    is missing or, as `unpack` says, unsound.
    """
    if not source.exists():
        raise EnvironmentFault("no such file or folder", file=source)
    if not (source.is_file() and is_archive(source)):
        yield _inner(source)
        return
    # Where the weights will go there is room for them; the system's temporary folder may be small
    room = next(parent for parent in beside.absolute().parents if parent.is_dir())
    with scratch_folder(room, "source") as folder:
        yield _inner(unpack(source, folder / "unpacked"))


def _inner(folder: Path) -> Path:
    while folder.is_dir():
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name.startswith("fold_"):
            break
        folder = inside[0]
    return folder
