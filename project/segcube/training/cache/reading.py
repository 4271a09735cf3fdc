"""Open the cache of a run: memory-mapped cases, and which of them stay in memory or on the device."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from segcube.core import EnvironmentFault, Shape
from segcube.training.cache.record import (
    IMAGE,
    LABELS,
    PREVIOUS,
    RECORD,
    VOXELS,
    CacheRules,
    CaseRecord,
    bytes_of,
)
from segcube.training.cache.store import changed_files, files_of, label_values_of, read_record
from segcube.training.cases import LabelledCase

PREPARE_HINT = "run segcube prepare"
FileState: TypeAlias = tuple[int, int]
"""Bytes, and the time of the last change."""


def file_state(found: os.stat_result) -> FileState:
    """Return what differs once a file was replaced or written to."""
    return found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class CachedCase:
    """A case of the cache. Its arrays are memory maps, opened at each access: files are not held open.

    An access raises EnvironmentFault, naming the case, where the file changed since the cache was opened.
    """

    folder: Path
    record: CaseRecord
    opened: Mapping[str, FileState]
    """Each array's file when the cache was opened."""

    @property
    def name(self) -> str:
        """The case's name."""
        return self.record.name

    @property
    def shape(self) -> Shape:
        """Voxels along each axis."""
        return self.record.shape

    @property
    def image_cxyz(self) -> np.ndarray:
        """float16."""
        return self._open(IMAGE)

    @property
    def labels_xyz(self) -> np.ndarray:
        """uint8: indices into record.labels, OUTSIDE or IGNORE."""
        return self._open(LABELS)

    @property
    def previous_xyz(self) -> np.ndarray | None:
        """uint8, the map of a cascade's previous stage as PreparedCase has it; None for a single stage."""
        return self._open(PREVIOUS) if PREVIOUS in self.record.arrays else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The outputs that the case has voxels of."""
        return tuple(name for name, (first, last) in self.record.classes.items() if last > first)

    @property
    def class_voxels(self) -> Mapping[str, np.ndarray]:
        """Stored voxels (N, 3) uint16 of each output; N may be 0."""
        voxels = self._open(VOXELS)
        return {name: voxels[first:last] for name, (first, last) in self.record.classes.items()}

    @property
    def annotated_voxels(self) -> np.ndarray | None:
        """Stored voxels (N, 3) with a known label; None where no voxel may be ignored."""
        rows = self.record.annotated
        return None if rows is None else self._open(VOXELS)[rows[0] : rows[1]]

    def _open(self, name: str) -> np.ndarray:
        file = self.folder / name
        try:
            with file.open("rb") as opened:
                if file_state(os.fstat(opened.fileno())) != self.opened[name]:
                    raise _changed(self.name, "while it was in use", file)
            # Copy on write: torch warns of arrays that are read-only, though it does not write either
            return np.load(file, mmap_mode="c")
        except FileNotFoundError as error:
            raise _changed(self.name, "while it was in use", file) from error


@dataclass(frozen=True)
class CaseTensors:
    """A case that patches are cut from: float16 image and uint8 labels, on the host or on a device."""

    image_cxyz: torch.Tensor
    labels_xyz: torch.Tensor
    present: tuple[int, ...]
    """All values in labels_xyz."""
    previous_xyz: torch.Tensor | None = None
    """uint8: the map of the previous stage of a cascade."""

    @property
    def shape(self) -> Shape:
        """Voxels along each axis."""
        x, y, z = self.labels_xyz.shape
        return x, y, z


class CaseSource(Sequence[CaseTensors]):
    """The cases of a training as tensors: resident ones, and memory maps of the others."""

    def __init__(self, cases: Sequence[CachedCase], residents: Mapping[int, CaseTensors]) -> None:
        self.cases, self.residents = cases, residents

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> CaseTensors:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.residents.get(index) or _tensors(self.cases[index])


def load_residents(cases: Sequence[CachedCase], device: torch.device, bound_bytes: int) -> CaseSource:
    """Load as many cases, in order, as fit into a bound, to the host's memory or a device's."""
    residents: dict[int, CaseTensors] = {}
    free = bound_bytes
    for index, case in enumerate(cases):
        free -= bytes_of(case.shape, len(case.record.channels))
        if free < 0:
            break
        mapped = _tensors(case)
        image_cxyz, labels_xyz, *previous = (
            tensor.clone() if device.type == "cpu" else tensor.to(device)
            for tensor in (mapped.image_cxyz, mapped.labels_xyz, mapped.previous_xyz)
            if tensor is not None
        )
        residents[index] = CaseTensors(image_cxyz, labels_xyz, mapped.present, *previous)
    return CaseSource(cases, residents)


def open_cache(
    folder: Path,
    names: Sequence[str],
    rules: CacheRules,
    cases: Mapping[str, LabelledCase] | None = None,
) -> tuple[CachedCase, ...]:
    """Open cached cases, and check that they are what they were prepared as.

    cases: by name; their files are checked where they exist. Raises EnvironmentFault, naming the case, where
    one is missing, or its files, the preprocessing or the arrays changed.
    """
    return tuple(_open_case(folder / name, rules, (cases or {}).get(name)) for name in names)


def _open_case(folder: Path, rules: CacheRules, case: LabelledCase | None) -> CachedCase:
    name = folder.name
    try:
        record = read_record(folder)
    except (OSError, ValueError) as error:
        found = "is not cached" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        raise EnvironmentFault(f"case {name} {found}", file=folder / RECORD, hint=PREPARE_HINT) from error
    if record.preprocessing != rules.digest:
        raise _changed(name, "it was prepared for another plan", folder / RECORD)
    for file, stored in record.arrays.items():
        path = folder / file
        size = path.stat().st_size if path.is_file() else "no"
        if size != stored.bytes:
            raise _changed(name, f"{size} bytes, {stored.bytes} when it was written", path)
        if not stored.matches(path):
            raise _changed(name, "another content than was written", path)
    if case is not None:
        _check_source(record, case, rules, folder)
    return CachedCase(folder, record, {file: file_state((folder / file).stat()) for file in record.arrays})


def _check_source(record: CaseRecord, case: LabelledCase, rules: CacheRules, folder: Path) -> None:
    if record.label_values != label_values_of(case, rules):
        raise _changed(case.name, "it was prepared with other label values", folder / RECORD)
    existing = {role: file for role, file in files_of(case, rules).items() if file.is_file()}
    if changed := changed_files(record, existing):
        raise _changed(case.name, "the file differs from that which was cached", changed[0])


def _changed(name: str, found: str, file: Path) -> EnvironmentFault:
    return EnvironmentFault(f"the cache of case {name} changed: {found}", file=file, hint=PREPARE_HINT)


def _tensors(case: CachedCase) -> CaseTensors:
    image_cxyz, labels_xyz = torch.from_numpy(case.image_cxyz), torch.from_numpy(case.labels_xyz)
    mask_xyz = case.previous_xyz
    previous_xyz = None if mask_xyz is None else torch.from_numpy(mask_xyz)
    return CaseTensors(image_cxyz, labels_xyz, case.record.present, previous_xyz)
