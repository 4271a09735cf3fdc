"""Read YAML and JSON that others wrote: within bounds of size and depth, and each fault as one line."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from segcube.core.errors import SegcubeError

MAX_DEPTH = 64
"""Levels of nesting; a submission has nine, a MONAI bundle some twenty."""
MAX_YAML_BYTES = 2**20
"""A submission of 100 members with a weight for each of six regions has 50 kB."""
MAX_YAML_SIZE = 25_000
"""Nodes once aliases are expanded, a long text counting as one for every TEXT_PER_NODE characters."""
TEXT_PER_NODE = 64
MAX_JSON_BYTES = 2**25
MAX_JSON_VALUES = 10**6
"""Scores of 1,000 cases in six regions with all their lesions have half as many."""
MAX_DIGITS = 100
"""Of a number; Python's own conversion takes quadratic time, and gives up at 4,300."""

LARGEST_KEY = 2**60
"""From there on, whoever chooses the numbers can make all of their hashes equal."""

TOO_DEEP = f"is nested more than {MAX_DEPTH} levels deep"
# libyaml compares each with all others
_TAG_DIRECTIVE = re.compile(r"^%TAG", re.MULTILINE)
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_SPECIAL_KEYS = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
# libyaml's loader is as safe as the plain one, and several times as fast
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(file: Path, fault: type[SegcubeError], expected: str = "a YAML file", hint: str = "") -> Any:
    """Read a YAML file; an empty one gives None.

    Raises `fault`, one line, for a file that cannot be read, is no plain file, or is refused by `parse_yaml`.
    """
    return _read(
        file, parse_yaml, MAX_YAML_BYTES, lambda found: fault(found, file=file, expected=expected, hint=hint)
    )


def read_json(file: Path, fault: type[SegcubeError], expected: str = "a JSON file", hint: str = "") -> Any:
    """Read a JSON file. Raises `fault` as `read_yaml` does, for what `parse_json` refuses."""
    return _read(
        file, parse_json, MAX_JSON_BYTES, lambda found: fault(found, file=file, expected=expected, hint=hint)
    )


def parse_yaml(text: str) -> Any:
    """The one document of a YAML text; an empty text gives None.

    Raises ValueError, in one line with the place, for what is no YAML, for tags of its own, keys that repeat,
    numbers of more than MAX_DIGITS, nesting deeper than MAX_DEPTH and more nodes than MAX_YAML_SIZE: both
    with aliases expanded, and found before anything is built.
    """
    if _TAG_DIRECTIVE.search(text):
        raise ValueError("holds a %TAG directive")
    try:
        _check_size(yaml.parse(text, Loader=_SafeLoader))
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ValueError(_one_line(error)) from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises ValueError, in one line, for what is no JSON, for keys that repeat, integers of more than
    MAX_DIGITS, more values than MAX_JSON_VALUES and nesting deeper than MAX_DEPTH.
    """
    if sum(text.count(mark) for mark in ",[{") > MAX_JSON_VALUES:
        raise ValueError(f"holds more than {MAX_JSON_VALUES:,} values")
    try:
        content = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    if _depth(content) > MAX_DEPTH:
        raise ValueError(TOO_DEEP)
    return content


def _read(file: Path, parse: Callable[[str], Any], limit: int, fault: Callable[[str], SegcubeError]) -> Any:
    try:
        # Not opened unless it is plain: a FIFO or a terminal would hold the run for ever
        if not stat.S_ISREG(file.stat().st_mode):
            raise ValueError("is no plain file")
        with file.open("rb") as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"holds more than {limit >> 20} MiB")
        return parse(content.decode())
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        found = "no such file" if missing else f"cannot be read: {error.strerror or error}"
        raise fault(found) from error
    except ValueError as error:
        raise fault(f"cannot be read: {error}") from error


@dataclass
class _Open:
    """A sequence or mapping whose end has not come yet."""

    anchor: str | None
    size_before: int
    """Of the document, before it began."""
    deepest: int
    """The level that its parts reach, aliases expanded."""


def _check_size(events: Iterable[yaml.Event]) -> None:
    """Raise ValueError for too many nodes or levels, with aliases expanded.

    The parser makes the events one by one and without recursion, so that a bomb costs no more than its text.
    """
    size = 0
    opened: list[_Open] = []
    anchors: dict[str, tuple[int, int]] = {}
    """Size and levels of what each anchor names."""
    for event in events:
        added, levels = 0, 0
        if isinstance(event, yaml.CollectionEndEvent):
            closed = opened.pop()
            levels = closed.deepest - len(opened)
            if closed.anchor:
                anchors[closed.anchor] = size - closed.size_before, levels
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise ValueError(f"{_place(event)}: *{event.anchor} is the alias of nothing before it")
            added, levels = anchors[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            added = 1 + len(event.value) // TEXT_PER_NODE
            if event.anchor:
                anchors[event.anchor] = added, 0
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append(_Open(event.anchor, size, len(opened) + 1))
            added = 1
        if opened:
            opened[-1].deepest = max(opened[-1].deepest, len(opened) + levels)
            if opened[-1].deepest > MAX_DEPTH:
                raise ValueError(f"{_place(event)}: {TOO_DEEP}")
        size += added
        if size > MAX_YAML_SIZE:
            raise ValueError(f"{_place(event)}: holds more than {MAX_YAML_SIZE:,} values, aliases expanded")


def _place(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}"


class _Loader(_SafeLoader):
    """A safe loader that refuses keys that repeat, and numbers of very many digits."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Once: afterwards the node has the keys of what was merged into it, which its own ones override
        if id(node) not in self._checked:
            self._checked.add(id(node))
            self._expect_once(node)
        super().flatten_mapping(node)

    def _expect_once(self, node: yaml.MappingNode) -> None:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            is_special = key_node.tag in _SPECIAL_KEYS
            key = key_node.value if is_special else self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue
            if type(key) is int and abs(key) >= LARGEST_KEY:
                raise _fault(f"the number {_short(key)} as a key", key_node)
            if key in lines:
                raise _fault(f"key {_short(key)} repeats that of line {lines[key]}", key_node)
            lines[key] = key_node.start_mark.line + 1

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # PyYAML's constructors raise these for a 13th month, or for what is not of the tag before it
            raise _fault(f"{_short(node.value)} is no {node.tag.rpartition(':')[2]}", node) from error

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
            raise _fault(f"a number of {len(node.value):,} characters", node)
        return super().construct_scalar(node)


def _fault(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _one_line(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    message = ", ".join(part for part in (error.context, error.problem) if part)
    return place + " ".join(message.split())


def _short(key: object) -> str:
    return repr(key)[:TEXT_PER_NODE]


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"key {_short(key)} repeats")
    return found


def _depth(content: Any) -> int:
    """Levels of lists and objects; found level by level, without recursion."""
    depth, level = 0, [content]
    while level := [part for part in level if isinstance(part, dict | list)]:
        depth += 1
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)]
    return depth
