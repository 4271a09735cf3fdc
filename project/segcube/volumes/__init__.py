"""Volumes: cases found, NIfTI read and written, maps that tell their origin."""

from segcube.volumes.atomic import clear_leftovers, write_whole
from segcube.volumes.cases import Discovery, Refusal, discover
from segcube.volumes.geometry import geometry_notices
from segcube.volumes.nifti import read_grid, read_labels, read_volume
from segcube.volumes.origin import describe_origin, inputs_digest, unfinished
from segcube.volumes.stale import discard_stale
from segcube.volumes.write import write_label_map

__all__ = [
    "Discovery",
    "Refusal",
    "clear_leftovers",
    "describe_origin",
    "discard_stale",
    "discover",
    "geometry_notices",
    "inputs_digest",
    "read_grid",
    "read_labels",
    "read_volume",
    "unfinished",
    "write_label_map",
    "write_whole",
]
