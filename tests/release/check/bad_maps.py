"""All ways of spoiling maps."""

from __future__ import annotations

from . import bad_files, bad_grids, bad_values
from .made_maps import KINDS, Spoil

ENTERED = (bad_files, bad_grids, bad_values)
"""Importing them enters their kinds."""
WARNINGS = frozenset(
    (
        "FORM_LOST",
        "BIG_ENDIAN",
        "NIFTI2",
        "WIDE_TYPE",
        "EMPTY_MAP",
        "MOSTLY_LABELLED",
        "OUTSIDE_IMAGE",
        "ABSENT_LABEL",
    )
)
"""Codes of what may be meant; all others are errors."""


__all__ = ["ENTERED", "KINDS", "WARNINGS", "Spoil"]
