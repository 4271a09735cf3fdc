"""The mark of a map that segcube wrote, and which files may be replaced."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from segcube.core import Case, CaseError, Grid, UsageError
from segcube.formats.nifti.affine import same_place
from segcube.formats.nifti.read import check_size, read_header_of, read_labels
from segcube.formats.nifti.stream import open_file, unreadable
from segcube.formats.nifti.write import as_stored

DIGEST_BYTES = 8
MAKER = "segcube"
STAND_IN = "stand-in"
"""In place of a fingerprint: the background map of a failed case, which no run takes for a finished one."""
CHUNK = 2**20
FROM_PYTHON = "session"
"""In place of a fingerprint: a map that a program wrote, whose settings and inputs are not recorded."""


def describe_origin(version: str, fingerprint: str, labels_xyz: np.ndarray) -> str:
    """What a map's header says of it: segcube's version, what it was made of, and a digest of its voxels."""
    return f"{MAKER} {version} {fingerprint} {labels_digest(labels_xyz)}"


def is_marked(file: Path, maker: str = MAKER) -> bool:
    """Whether a file's header carries a mark of segcube's, by default that of label maps: it may be replaced.

    Damage behind the header does not matter. Links, folders and files that cannot be read carry none.
    """
    if file.is_symlink() or not file.is_file():
        return False
    try:
        return read_header_of(file).description.split()[:1] == [maker]
    except CaseError:
        return False


def is_own_map(file: Path) -> bool:
    """Whether a file is a label map that segcube wrote and nobody changed, so that a run may replace it.

    A damaged one counts as such. One whose voxels were changed, as by a correction in a viewer that keeps the
    header, does not.
    """
    if not is_marked(file):
        return False
    try:
        labels_xyz, _, description = read_labels(file)
    except CaseError:
        return True
    return description.split()[3:] == [labels_digest(labels_xyz)]


def labels_digest(labels_xyz: np.ndarray) -> str:
    """A digest of a label map's values, whatever type they come as.

    With another digest, maps written before would count as changed by hand, and no run would replace them.
    """
    return blake2b(as_stored(labels_xyz).T.data, digest_size=DIGEST_BYTES).hexdigest()


def inputs_digest(case: Case) -> str:
    """A digest of the bytes of a case's files, channel by channel, wherever they lie.

    Raises CaseError when a file cannot be read, or shows by its header and size that it is not sound.
    """
    digest = blake2b(digest_size=DIGEST_BYTES)
    for channel in sorted(case.files):
        digest.update(channel.encode())
        digest.update(_file_digest(case.files[channel]))
    return digest.hexdigest()


def unfinished(file: Path, fingerprint: str, case: Case) -> str:
    """Why an existing map is not the finished map of a case; empty when it is.

    A finished map is whole, lies on the case's grid, and carries this fingerprint and its own digest.
    """
    try:
        header, reference = read_header_of(file), read_header_of(case.reference_file)
        words = header.description.split()
        if len(words) != 4 or words[0] != MAKER:
            return "the map there is not of segcube's making"
        if words[2] == STAND_IN:
            return "the map there is the background of a failed case"
        if words[2] == FROM_PYTHON:
            return "the map there was written from Python, with no record of its settings"
        if words[2] != fingerprint:
            return "the map there was made of another submission, other settings or other inputs"
        if not _on_grid(header.grid, reference.grid):
            return "the map there lies on another grid"
        labels_xyz, _, _ = read_labels(file)
    except CaseError as error:
        return f"the map there is not whole: {error.code}"
    return "" if words[3] == labels_digest(labels_xyz) else "the voxels there were changed"


def _on_grid(grid: Grid, reference: Grid) -> bool:
    # A reference in NIfTI-2 has more digits than a map in NIfTI-1 can repeat
    return grid.shape == reference.shape and same_place(grid, reference)


def _file_digest(file: Path) -> bytes:
    check_size(file)
    digest = blake2b(digest_size=DIGEST_BYTES)
    with open_file(file) as raw:
        try:
            while chunk := raw.read(CHUNK):
                digest.update(chunk)
        except OSError as error:
            raise unreadable(file, error) from error
    return digest.digest()


BEGINNING = 2**14


def discard_stale(file: Path) -> bool:
    """Remove a label map that segcube wrote, if there is one; True if there was. Other files stay."""
    try:
        if not is_own_map(file):
            return False
        file.unlink()
    except OSError:
        return False
    return True


def foreign_files(files: Iterable[Path], is_own: Callable[[Path], bool] = is_own_map) -> list[Path]:
    """Those of the files that exist and that segcube did not write, so that no run may replace them.

    A link is one of them, wherever it leads. A folder is not, for nothing can replace it by accident, nor is
    an empty file, which has nothing to lose.
    """
    existing = (file for file in files if os.path.lexists(file))
    return [file for file in existing if file.is_symlink() or not (_is_harmless(file) or is_own(file))]


def expect_replaceable(file: Path | None, kind: str, marks: Sequence[bytes]) -> None:
    """Raise UsageError for a file that exists and is not of the kind that would replace it.

    marks: what stands near the beginning of each file of that kind. No file, an empty one and what is no
    plain file, such as a terminal, pass.
    """
    if file is None or not file.is_file() or file.stat().st_size == 0:
        return
    with file.open("rb") as opened:
        beginning = opened.read(BEGINNING)
    if not all(mark in beginning for mark in marks):
        raise UsageError(
            f"is there already, and is not {kind}", file=file, expected="a new file, or one to replace"
        )


def _is_harmless(file: Path) -> bool:
    return file.is_dir() or (file.is_file() and file.stat().st_size == 0)
