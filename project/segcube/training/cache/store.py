"""Write the cache of a run: each case atomically, by any number of processes at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from segcube.core import (
    CaseError,
    Code,
    EnvironmentFault,
    UsageError,
    Volume,
    as_case_error,
    parse_json,
    scratch_folder,
)
from segcube.formats.nifti import grid_difference, read_labels, read_volume
from segcube.training.cache.prepare import PreparedCase, prepare_case
from segcube.training.cache.record import (
    IMAGE,
    LABELS,
    PREVIOUS,
    RECORD,
    VOXELS,
    CacheRules,
    CaseRecord,
    NativeGrid,
    StoredFile,
)
from segcube.training.cases import LabelledCase, read_labels_of

LOCKS = ".locks"


@dataclass(frozen=True)
class CacheOutcome:
    """What became of a case: written, or kept as it was, or an error."""

    name: str
    written: bool = False
    error: CaseError | None = None


def prepare_cases(cases: Sequence[LabelledCase], rules: CacheRules, folder: Path) -> Iterator[CacheOutcome]:
    """Prepare all cases whose cache is missing or out of date; yields each case when it is done.

    folder: the run's cache. Cases that another process prepares come last. A case with an error costs only
    itself. Raises EnvironmentFault where the folder cannot be written.
    """
    waiting: list[LabelledCase] = []
    for case in cases:
        with _claim(folder, case.name, wait=False) as claimed:
            if claimed:
                yield _prepare(case, rules, folder)
            else:
                waiting.append(case)
    for case in waiting:
        with _claim(folder, case.name, wait=True):
            yield _prepare(case, rules, folder)


def write_case(
    prepared: PreparedCase, volume: Volume, case: LabelledCase, rules: CacheRules, folder: Path
) -> None:
    """Write a prepared case to `folder`/NAME, which appears or changes as a whole.

    Raises EnvironmentFault where it cannot be written.
    """
    target = folder / case.name
    try:
        with scratch_folder(folder, "case") as scratch:
            new = scratch / "new"
            new.mkdir()
            arrays = {IMAGE: prepared.image_cxyz, LABELS: prepared.labels_xyz, VOXELS: prepared.voxels}
            if prepared.previous_xyz is not None:
                arrays[PREVIOUS] = prepared.previous_xyz
            for file, array in arrays.items():
                _write_array(new / file, array)
            record = _record(prepared, volume, case, rules, new)
            _write(new / RECORD, record.model_dump_json(indent=1).encode())
            if target.exists():
                target.rename(scratch / "old")
            new.rename(target)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot be written: {error.strerror or error}",
            file=target,
            expected="a writable folder with free space",
        ) from error


def read_record(folder: Path) -> CaseRecord:
    """Read a cached case's record. Raises OSError or ValueError for one that is missing or invalid."""
    try:
        return CaseRecord.model_validate(parse_json((folder / RECORD).read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ValueError(f"{RECORD} is invalid") from error


def is_current(case: LabelledCase, rules: CacheRules, folder: Path) -> bool:
    """Return whether a case is cached, from files and by preprocessing that are still the same."""
    here = folder / case.name
    try:
        record = read_record(here)
        if record.preprocessing != rules.digest or record.label_values != label_values_of(case, rules):
            return False
        if changed_files(record, files_of(case, rules)):
            return False
        return all(stored.matches(here / name) for name, stored in record.arrays.items())
    except (OSError, ValueError):
        return False


def is_cached_case(folder: Path) -> bool:
    """Return whether an entry of a cache is its own: a case, the locks, or what a killed process left."""
    return folder.name.startswith(".") or (folder / RECORD).is_file()


def files_of(case: LabelledCase, rules: CacheRules) -> dict[str, Path]:
    """Return the files that a cached case comes from: by channel, its label map, the previous stage's map."""
    files = {name: case.case.files[name] for name in rules.branch.channels} | {"label": case.label}
    return files if case.previous is None else files | {"previous": case.previous}


def label_values_of(case: LabelledCase, rules: CacheRules) -> dict[int, int]:
    """Return what the values of a label map become before all else; empty where they stay."""
    return case.source.values(rules.challenge, rules.ignore) if case.source is not None else {}


def changed_files(record: CaseRecord, files: Mapping[str, Path]) -> list[Path]:
    """Return the files that differ from those that were cached. Raises OSError for a missing one."""
    changed: list[Path] = []
    for role, file in files.items():
        stored = record.files.get(role)
        if stored is None or not stored.matches(file):
            changed.append(file)
    return changed


def _prepare(case: LabelledCase, rules: CacheRules, folder: Path) -> CacheOutcome:
    if is_current(case, rules, folder):
        return CacheOutcome(case.name)
    try:
        volume = read_volume(case.case, rules.branch.channels)
        # A file may have been replaced since `segcube plan` checked it
        labels_xyz = read_labels_of(case, volume, rules.challenge, rules.ignore)
        previous_xyz = None if rules.cascade is None else _read_previous(case, volume)
        prepared = prepare_case(volume, labels_xyz, rules, previous_xyz)
    except (UsageError, EnvironmentFault):
        raise
    except Exception as error:
        return CacheOutcome(case.name, error=as_case_error(error))
    write_case(prepared, volume, case, rules, folder)
    return CacheOutcome(case.name, written=True)


def _read_previous(case: LabelledCase, volume: Volume) -> np.ndarray:
    """The previous stage's label map. Raises CaseError for another grid than the case's."""
    assert case.previous is not None, "a run of a second stage has the maps of the first"
    labels_xyz, grid, _ = read_labels(case.previous)
    if difference := grid_difference(grid, volume.grid, case.case.reference_file.name):
        raise CaseError(Code.LABEL_GRID, difference.found, file=case.previous, expected=difference.expected)
    return labels_xyz


def _record(
    prepared: PreparedCase, volume: Volume, case: LabelledCase, rules: CacheRules, folder: Path
) -> CaseRecord:
    placement = prepared.placement
    return CaseRecord(
        name=case.name,
        files={name: StoredFile.of(file) for name, file in files_of(case, rules).items()},
        preprocessing=rules.digest,
        labels=rules.labels,
        label_values=label_values_of(case, rules),
        channels=rules.branch.channels,
        shape=prepared.shape,
        present=tuple(np.unique(prepared.labels_xyz).tolist()),
        classes=prepared.classes,
        annotated=prepared.annotated,
        native=NativeGrid(
            shape=placement.shape,
            affine=tuple(volume.grid.affine.ravel().tolist()),
            permutation=placement.orientation.permutation,
            flips=placement.orientation.flips,
            box_start=placement.box.start,
            box_stop=placement.box.stop,
        ),
        arrays={file.name: StoredFile.of(file) for file in sorted(folder.glob("*.npy"))},
    )


def _write_array(file: Path, array: np.ndarray) -> None:
    with file.open("wb") as opened:
        np.save(opened, array)
        opened.flush()
        os.fsync(opened.fileno())


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


@contextmanager
def _claim(folder: Path, name: str, *, wait: bool) -> Generator[bool]:
    """Claim a case for this process; yields whether it is claimed.

    On a file system without locks every process claims it: they write the same content.
    """
    try:
        (folder / LOCKS).mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCKS / name, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise EnvironmentFault(f"cannot be written: {error.strerror or error}", file=folder) from error
    try:
        claimed = True
        with suppress(OSError):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                claimed = False
        yield claimed
    finally:
        os.close(handle)
