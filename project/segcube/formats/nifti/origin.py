"""Origin of label maps, recorded in their headers: which are finished, and which files may be replaced."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np

from segcube.core import Case, CaseError, UsageError
from segcube.formats.nifti.affine import same_grid
from segcube.formats.nifti.read import check_size, read_header_of, read_labels
from segcube.formats.nifti.stream import open_file, unreadable
from segcube.formats.nifti.write import as_stored_labels

DIGEST_BYTES = 8
WRITER = "segcube"
FAILED_CASE_MARK = "stand-in"
"""Instead of a fingerprint, in the background map of a failed case, so that --resume redoes the case."""
SESSION_MARK = "session"
"""Instead of a fingerprint, in a map written from the Python API, whose settings and inputs are unknown."""


def describe_origin(version: str, fingerprint: str, labels_xyz: np.ndarray) -> str:
    """Return the description for a label map: segcube's version, the fingerprint, a digest of the voxels."""
    return f"{WRITER} {version} {fingerprint} {labels_digest(labels_xyz)}"


def is_written_by_segcube(file: Path, writer: str = WRITER) -> bool:
    """Return whether a NIfTI file's description begins with `writer`, by default that of label maps.

    Damage after the header does not matter. False for links, folders and unreadable files.
    """
    return not file.is_symlink() and written_by(file)[:1] == [writer]


def written_by(file: Path) -> list[str]:
    """Return the words of a NIfTI file's description, of the target of a link; none if it is unreadable."""
    try:
        return read_header_of(file).description.split() if file.is_file() else []
    except CaseError:
        return []


def is_own_map(file: Path) -> bool:
    """Return whether a file is an unchanged label map of segcube, which a run may replace.

    True for a damaged one; False for one with changed voxels, as after a correction in a viewer that keeps
    the header.
    """
    if not is_written_by_segcube(file):
        return False
    try:
        labels_xyz, _, description = read_labels(file)
    except CaseError:
        return True
    return description.split()[3:] == [labels_digest(labels_xyz)]


def labels_digest(labels_xyz: np.ndarray) -> str:
    """Return a digest of a label map's values, independent of their type.

    The algorithm must not change: maps of earlier versions would count as changed by hand.
    """
    return blake2b(as_stored_labels(labels_xyz).T.data, digest_size=DIGEST_BYTES).hexdigest()


def inputs_digest(case: Case) -> str:
    """Return a digest of the bytes of a case's files, in order of channel names, independent of their paths.

    Raises CaseError for a file that is unreadable, or whose size contradicts its header.
    """
    digest = blake2b(digest_size=DIGEST_BYTES)
    for channel in sorted(case.files):
        digest.update(channel.encode())
        digest.update(_file_digest(case.files[channel]))
    return digest.hexdigest()


def reason_to_redo(file: Path, fingerprint: str, case: Case) -> str:
    """Return why an existing label map is not the finished map of a case; empty if it is.

    A finished map is complete, on the case's grid, and has this fingerprint and the digest of its voxels.
    """
    try:
        header, reference = read_header_of(file), read_header_of(case.reference_file)
        words = header.description.split()
        if len(words) != 4 or words[0] != WRITER:
            return "the existing map was not written by segcube"
        if words[2] == FAILED_CASE_MARK:
            return "the existing map is the empty map of a failed case"
        if words[2] == SESSION_MARK:
            return "the existing map was written from the Python API, without a record of its settings"
        if words[2] != fingerprint:
            return "the existing map is of another submission, other settings or other inputs"
        # NIfTI-2 references have more digits than NIfTI-1 maps can store
        if header.grid.shape != reference.grid.shape or not same_grid(header.grid, reference.grid):
            return "the existing map has another grid"
        labels_xyz, _, _ = read_labels(file)
    except CaseError as error:
        return f"the existing map is damaged: {error.code}"
    return "" if words[3] == labels_digest(labels_xyz) else "the voxels of the existing map were changed"


def _file_digest(file: Path) -> bytes:
    check_size(file)
    with open_file(file) as raw:
        try:
            return file_digest(raw, lambda: blake2b(digest_size=DIGEST_BYTES)).digest()
        except OSError as error:
            raise unreadable(file, error) from error


SIGNATURE_BYTES = 2**14
"""Beginning of a file that is searched for what identifies its kind."""


def remove_own_map(file: Path) -> bool:
    """Remove a label map of segcube, if there is one; returns whether there was. Other files stay."""
    try:
        if not is_own_map(file):
            return False
        file.unlink()
    except OSError:
        return False
    return True


def foreign_files(files: Iterable[Path], is_own: Callable[[Path], bool] = is_own_map) -> list[Path]:
    """Return the existing files that segcube did not write, and that no run may replace.

    Includes all links. Excludes folders, which cannot be replaced by accident, and empty files.
    """
    existing = (file for file in files if os.path.lexists(file))
    return [file for file in existing if file.is_symlink() or not (_is_harmless(file) or is_own(file))]


def check_replaceable(file: Path | None, kind: str, marks: Sequence[bytes]) -> None:
    """Raise UsageError for an existing file of another kind than the one that would replace it.

    kind: description of the kind. marks: texts near the beginning of each such file. A missing or empty file
    passes, and so does anything but a regular file, such as a terminal.
    """
    if file is None or not file.is_file() or file.stat().st_size == 0:
        return
    with file.open("rb") as opened:
        beginning = opened.read(SIGNATURE_BYTES)
    if not all(mark in beginning for mark in marks):
        found = f"already exists and is not {kind}"
        raise UsageError(found, file=file, expected=f"a new file, or {kind} to replace")


def _is_harmless(file: Path) -> bool:
    return file.is_dir() or (file.is_file() and file.stat().st_size == 0)
