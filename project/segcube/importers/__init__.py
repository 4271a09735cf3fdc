"""Submissions from other people's models: read as data, written whole."""

from segcube.importers.imported import PENDING, Imported, Source, State, pending
from segcube.importers.names import match_channels, match_labels, match_regions
from segcube.importers.source import opened_source
from segcube.importers.wishes import Target, Wishes, parse_labels, parse_names, parse_numbers, read_target
from segcube.importers.write import write_imported
from segcube.submission import expect_room

__all__ = [
    "PENDING",
    "Imported",
    "Source",
    "State",
    "Target",
    "Wishes",
    "expect_room",
    "match_channels",
    "match_labels",
    "match_regions",
    "opened_source",
    "parse_labels",
    "parse_names",
    "parse_numbers",
    "pending",
    "read_target",
    "write_imported",
]
