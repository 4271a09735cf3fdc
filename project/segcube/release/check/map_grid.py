"""Compare the grid and header of a label map with those of its case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.orientations import aff2axcodes

from segcube.core import Code, Forms, Grid
from segcube.formats.nifti import Header, corner_distance_mm, qform_affine, same_grid
from segcube.release.check.findings import Finding, FindingCode, error, warning
from segcube.release.check.read_map import MapFile

DIRECTION_TOLERANCE = 1e-3
"""If the 3 x 3 parts of two affines differ by less, the origin is the difference to report."""
FIELD_OF_VIEW_TOLERANCE = 0.02
"""Relative difference of two fields of view that count as equal."""
_UNIT_MM = {1: 1000.0, 3: 0.001}
"""Length in mm of a header's units metre and micron, by NIfTI code; any other code counts as mm."""


@dataclass(frozen=True)
class Reference:
    """The channel of the case whose grid a map must have."""

    file: Path
    header: Header


def grid_findings(found: MapFile, reference: Reference) -> Iterator[Finding]:
    """Report axes, shape, affine, spacing, forms, units and storage that differ from the case."""
    if found.decoded is None:
        return
    file, header, expected = found.file, found.decoded.header, reference.header
    if len(found.decoded.axes) > 3 and not found.refused(Code.NDIM):
        yield error(
            Code.NDIM, f"{len(found.decoded.axes)} axes of sizes {list(found.decoded.axes)}", file=file
        )
    if header.grid.shape != expected.grid.shape and not found.refused(Code.NDIM):
        yield _shape_finding(header.grid, reference, file)
    elif not found.refused(Code.NDIM, Code.BAD_AFFINE, Code.BAD_SPACING):
        yield from _affine_findings(header.grid, reference, file)
    if not found.refused(Code.BAD_AFFINE, Code.BAD_SPACING):
        yield from _spacing_findings(header.forms, reference, file)
        yield from _form_findings(header, reference, file)
    yield from _storage_findings(found.decoded.version, header, file)


def _shape_finding(grid: Grid, reference: Reference, file: Path) -> Finding:
    expected = reference.header.grid
    hint = "write the map on the grid of the case"
    view = np.multiply(grid.shape, grid.spacing)
    if grid.shape == expected.shape[::-1]:
        hint = "transpose the array from z, y, x to x, y, z before writing"
    elif np.allclose(view, np.multiply(expected.shape, expected.spacing), rtol=FIELD_OF_VIEW_TOLERANCE):
        hint = "the field of view is the same: resample the map to the grid of the case"
    return error(
        Code.SHAPE_MISMATCH,
        f"shape {_by(grid.shape)}",
        file=file,
        expected=f"{_by(expected.shape)}, as in {reference.file.name}",
        hint=hint,
    )


def _affine_findings(grid: Grid, reference: Reference, file: Path) -> Iterator[Finding]:
    expected = reference.header.grid
    if same_grid(grid, expected):
        return
    hint = f"copy the affine of {reference.file.name}"
    axes, expected_axes = _axes(grid), _axes(expected)
    if axes != expected_axes:
        yield error(
            FindingCode.ORIENTATION,
            f"axes run to {axes}",
            file=file,
            expected=f"{expected_axes}, as in {reference.file.name}",
            hint=f"undo a reorientation of the array; write it with the header of {reference.file.name}",
        )
        return
    distance = corner_distance_mm(grid, expected)
    found = f"lies up to {distance:.4g} mm off"
    if np.abs(grid.affine[:3, :3] - expected.affine[:3, :3]).max() <= DIRECTION_TOLERANCE:
        found = f"its origin {_numbers(grid.affine[:3, 3])} is {distance:.4g} mm off"
    yield error(
        Code.AFFINE_MISMATCH,
        found,
        file=file,
        expected=f"origin {_numbers(expected.affine[:3, 3])} and the directions of {reference.file.name}",
        hint=hint,
    )


def _spacing_findings(forms: Forms, reference: Reference, file: Path) -> Iterator[Finding]:
    found = np.array(forms.pixdim[1:], dtype=np.float32)
    expected = np.array(reference.header.forms.pixdim[1:], dtype=np.float32)
    if (found != expected).any():
        yield error(
            FindingCode.SPACING,
            f"spacing {_exact(found)} mm",
            file=file,
            expected=f"{_exact(expected)} mm, exactly as in {reference.file.name}",
            hint=f"copy pixdim from the header of {reference.file.name}",
        )


def _form_findings(header: Header, reference: Reference, file: Path) -> Iterator[Finding]:
    forms, expected = header.forms, reference.header.forms
    had = [name for name, there in _forms_of(expected).items() if there]
    lost = [name for name in had if not _forms_of(forms)[name]]
    hint = f"write with the header of {reference.file.name}"
    had_both = f"{' and '.join(had)}, as in {reference.file.name}"
    if lost and not any(_forms_of(forms).values()):
        yield error(Code.NO_FORM, "neither sform nor qform", file=file, expected=had_both, hint=hint)
    elif lost:
        found = f"{lost[0]} code 0; the case has {lost[0]} {getattr(expected, lost[0] + '_code')}"
        yield warning(FindingCode.FORM_LOST, found, file=file, expected=had_both, hint=hint)
    if forms.sform_code > 0 and forms.qform_code > 0 and not _qform_fits(forms, reference.header):
        yield error(Code.QFORM_SFORM, "its qform differs from its sform", file=file, hint=hint)
    units, expected_units = (_UNIT_MM.get(entry.units & 7, 1.0) for entry in (forms, expected))
    if units != expected_units:
        found = f"its unit of length is {units:g} mm"
        yield error(FindingCode.UNITS, found, file=file, expected=f"{expected_units:g} mm")


def _storage_findings(version: int, header: Header, file: Path) -> Iterator[Finding]:
    if version == 2:
        yield warning(FindingCode.NIFTI2, "is NIfTI-2", file=file)
    if header.dtype.newbyteorder("<") != header.dtype:
        yield warning(FindingCode.BIG_ENDIAN, "is big-endian", file=file)


def _forms_of(forms: Forms) -> dict[str, bool]:
    return {"sform": forms.sform_code > 0, "qform": forms.qform_code > 0}


def _qform_fits(forms: Forms, reference: Header) -> bool:
    """Return whether a qform equals the affine or the qform of the reference; those may differ already."""
    found, shape = qform_affine(forms), reference.grid.shape
    known = (reference.grid.affine, qform_affine(reference.forms))
    return found is not None and any(
        affine is not None and same_grid(Grid(shape, found), Grid(shape, affine)) for affine in known
    )


def _axes(grid: Grid) -> str:
    return "".join(str(letter) for letter in aff2axcodes(grid.affine))


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _numbers(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


def _exact(spacing: np.ndarray) -> str:
    """Format lengths with the digits that distinguish float32 numbers."""
    return " x ".join(str(length) for length in spacing)
