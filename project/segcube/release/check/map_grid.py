"""Compare the grid and header of a label map with those of its case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcube.core import Code, Forms, Grid
from segcube.formats.nifti import Header, grid_difference, qform_affine, same_grid
from segcube.release.check.findings import Finding, FindingCode, error, warning
from segcube.release.check.read_map import MapFile

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
    difference = grid_difference(header.grid, expected.grid, reference.file.name)
    repaired = () if difference and difference.kind == "shape" else (Code.BAD_AFFINE, Code.BAD_SPACING)
    if difference and not found.refused(Code.NDIM, *repaired):
        code = _DIFFERENCES[difference.kind]
        yield error(code, difference.found, file=file, expected=difference.expected, hint=difference.hint)
    if not found.refused(Code.BAD_AFFINE, Code.BAD_SPACING):
        yield from _spacing_findings(header.forms, reference, file)
        yield from _form_findings(header, reference, file)
    yield from _storage_findings(found.decoded.version, header, file)


_DIFFERENCES: Mapping[str, Code | FindingCode] = {
    "shape": Code.SHAPE_MISMATCH,
    "orientation": FindingCode.ORIENTATION,
    "affine": Code.AFFINE_MISMATCH,
}


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


def _exact(spacing: np.ndarray) -> str:
    """Format lengths with the digits that distinguish float32 numbers."""
    return " x ".join(str(length) for length in spacing)
