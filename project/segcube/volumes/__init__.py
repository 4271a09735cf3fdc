"""Volumes: cases found, NIfTI read and written, maps that tell their origin."""

from segcube.volumes.affine import millimetres_apart, qform_affine, same_place
from segcube.volumes.atomic import clear_leftovers, write_whole
from segcube.volumes.cases import Discovery, Refusal, discover
from segcube.volumes.geometry import geometry_notices
from segcube.volumes.header import Header, judge_header, read_fields
from segcube.volumes.nifti import read_grid, read_labels, read_volume
from segcube.volumes.origin import (
    FROM_PYTHON,
    STAND_IN,
    describe_origin,
    inputs_digest,
    is_marked,
    is_own_map,
    labels_digest,
    unfinished,
)
from segcube.volumes.stale import discard_stale, expect_replaceable, foreign_files
from segcube.volumes.stream import Stream, open_stream
from segcube.volumes.write import as_stored, write_label_map

__all__ = [
    "FROM_PYTHON",
    "STAND_IN",
    "Discovery",
    "Header",
    "Refusal",
    "Stream",
    "as_stored",
    "clear_leftovers",
    "describe_origin",
    "discard_stale",
    "discover",
    "expect_replaceable",
    "foreign_files",
    "geometry_notices",
    "inputs_digest",
    "is_marked",
    "is_own_map",
    "judge_header",
    "labels_digest",
    "millimetres_apart",
    "open_stream",
    "qform_affine",
    "read_fields",
    "read_grid",
    "read_labels",
    "read_volume",
    "same_place",
    "unfinished",
    "write_label_map",
    "write_whole",
]
