"""Read untrusted YAML and JSON: size and depth are bounded, and each error is one line."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from segcube.core.errors import SegcubeError
from segcube.core.yaml_loader import MAX_DIGITS, SafeLoader, StrictLoader, one_line, quoted

MAX_DEPTH = 64
"""Levels of nesting; a submission has 9, a MONAI bundle about 20."""
TEXT_PER_NODE = 64
MAX_JSON_BYTES = 2**25
MAX_JSON_VALUES = 10**6
"""Scores of 1,000 cases in six regions with all their lesions have half as many."""


@dataclass(frozen=True)
class YamlLimits:
    """What a YAML file may hold.

    size: nodes with aliases expanded; a long text counts as one node for every TEXT_PER_NODE characters. The
    usual limits: a submission of 100 members with a weight for each of six regions has 50 kB.
    """

    bytes: int = 2**20
    size: int = 25_000


USUAL_LIMITS = YamlLimits()
LIST_LIMITS = YamlLimits(2**27, 4_000_000)
"""Of files that list cases: 100,000 with four channels have half as many nodes."""
TOO_DEEP = f"more than {MAX_DEPTH} levels of nesting"
# libyaml compares each %TAG directive with all others, in quadratic time
_TAG_DIRECTIVE = re.compile(r"^%TAG", re.MULTILINE)


def read_yaml(
    file: Path,
    fault: type[SegcubeError],
    expected: str = "a YAML file",
    hint: str = "",
    limits: YamlLimits = USUAL_LIMITS,
) -> Any:
    """Read a YAML file; None for an empty one.

    Raises `fault`, in one line, for a file that is missing, unreadable, not a regular file, larger than
    the limits allow, or rejected by `parse_yaml`.
    """
    try:
        return parse_yaml(_read_text(file, limits.bytes), limits)
    except (OSError, ValueError) as error:
        raise fault(_found(error), file=file, expected=expected, hint=hint) from error


def read_json(file: Path, fault: type[SegcubeError], expected: str = "a JSON file", hint: str = "") -> Any:
    """Read a JSON file.

    Raises `fault` as `read_yaml` does, with MAX_JSON_BYTES and `parse_json`.
    """
    try:
        return parse_json(_read_text(file, MAX_JSON_BYTES))
    except (OSError, ValueError) as error:
        raise fault(_found(error), file=file, expected=expected, hint=hint) from error


def parse_yaml(text: str, limits: YamlLimits = USUAL_LIMITS) -> Any:
    """Parse the single document of a YAML text; None for an empty text.

    Raises ValueError, in one line with the line number, for invalid YAML, custom tags, duplicate keys,
    numbers of more than MAX_DIGITS digits, nesting deeper than MAX_DEPTH and more nodes than the limits
    allow. Depth and nodes are counted with aliases expanded, before any object is built.
    """
    if _TAG_DIRECTIVE.search(text):
        raise ValueError("a %TAG directive is not allowed")
    try:
        _check_size(yaml.parse(text, Loader=SafeLoader), limits.size)
        return yaml.load(text, Loader=StrictLoader)
    except yaml.MarkedYAMLError as error:
        raise ValueError(one_line(error)) from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def parse_json(text: str) -> Any:
    """Parse a JSON text.

    Raises ValueError, in one line, for invalid JSON, duplicate keys, integers of more than MAX_DIGITS digits,
    more values than MAX_JSON_VALUES and nesting deeper than MAX_DEPTH.
    """
    if sum(text.count(mark) for mark in ",[{") > MAX_JSON_VALUES:
        raise ValueError(f"more than {MAX_JSON_VALUES:,} values")
    try:
        content = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    if _depth(content) > MAX_DEPTH:
        raise ValueError(TOO_DEEP)
    return content


def _read_text(file: Path, max_bytes: int) -> str:
    # Checked before opening: a FIFO or a terminal would block the run for ever
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("not a regular file")
    with file.open("rb") as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"more than {max_bytes >> 20} MiB")
    return content.decode()


def _found(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}"


@dataclass
class _OpenCollection:
    """A sequence or mapping whose end event is still to come."""

    anchor: str | None
    size_before: int
    """Nodes of the document before the collection."""
    deepest: int
    """Deepest level inside it, aliases expanded."""


def _check_size(events: Iterable[yaml.Event], most: int) -> None:
    """Raise ValueError for too many nodes or levels, with aliases expanded.

    The parser yields events one by one without recursion, so an alias bomb costs no more than its text.
    """
    size = 0
    opened: list[_OpenCollection] = []
    anchors: dict[str, tuple[int, int]] = {}
    """Nodes and levels of each anchored value."""
    for event in events:
        added, levels = 0, 0
        if isinstance(event, yaml.CollectionEndEvent):
            closed = opened.pop()
            levels = closed.deepest - len(opened)
            if closed.anchor:
                anchors[closed.anchor] = size - closed.size_before, levels
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise ValueError(f"{_place(event)}: undefined alias *{event.anchor}")
            added, levels = anchors[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            added = 1 + len(event.value) // TEXT_PER_NODE
            if event.anchor:
                anchors[event.anchor] = added, 0
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append(_OpenCollection(event.anchor, size, len(opened) + 1))
            added = 1
        if opened:
            opened[-1].deepest = max(opened[-1].deepest, len(opened) + levels)
            if opened[-1].deepest > MAX_DEPTH:
                raise ValueError(f"{_place(event)}: {TOO_DEEP}")
        size += added
        if size > most:
            raise ValueError(f"{_place(event)}: more than {most:,} values with aliases expanded")


def _place(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}"


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"duplicate key {quoted(key)}")
    return found


def _depth(content: Any) -> int:
    """Levels of lists and objects, counted without recursion."""
    depth, level = 0, [content]
    while level := [part for part in level if isinstance(part, dict | list)]:
        depth += 1
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)]
    return depth
