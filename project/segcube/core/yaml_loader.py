"""A safe YAML loader that rejects duplicate keys and numbers that take long to convert."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

MAX_DIGITS = 100
"""Of a number; Python's conversion takes quadratic time and raises at 4,300 digits."""
MAX_INTEGER_KEY = 2**60
"""Exclusive; larger integers can be chosen to have equal hashes, which makes a mapping quadratic."""
MAX_QUOTED = 64
"""Characters of a value in a message."""

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
MERGE_TAG = "tag:yaml.org,2002:merge"
# libyaml's safe loader is several times as fast as the Python one
SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StrictLoader(SafeLoader):
    """A safe loader that rejects duplicate keys and numbers of too many digits."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Put merged pairs before a mapping's own, which override them; PyYAML 6.0.4 mistakes their order."""
        # Only once: afterwards the node holds merged keys as if they were its own
        if id(node) in self._checked:
            return
        self._checked.add(id(node))
        for key, _ in node.value:
            # The key = is a text like others
            key.tag = "tag:yaml.org,2002:str" if key.tag == "tag:yaml.org,2002:value" else key.tag
        self._check_unique_keys(node)
        own: list[tuple[yaml.Node, yaml.Node]] = []
        merged: list[tuple[yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if key.tag != MERGE_TAG:
                own.append((key, value))
                continue
            # Of several, the first mapping overrides those after it
            for other in reversed(value.value if isinstance(value, yaml.SequenceNode) else [value]):
                if not isinstance(other, yaml.MappingNode):
                    raise _fault("expected a mapping to merge", other)
                self.flatten_mapping(other)
                merged += other.value
        node.value = merged + own

    def _check_unique_keys(self, node: yaml.MappingNode) -> None:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            is_merge = key_node.tag == MERGE_TAG
            key = key_node.value if is_merge else self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue
            if type(key) is int and abs(key) >= MAX_INTEGER_KEY:
                raise _fault(f"the integer key {quoted(key)} is not below 2**60", key_node)
            if key in lines:
                raise _fault(f"duplicate key {quoted(key)}, first in line {lines[key]}", key_node)
            lines[key] = key_node.start_mark.line + 1

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # PyYAML's constructors raise these for a 13th month or a value that does not match its tag
            raise _fault(
                f"{quoted(node.value)} is not a valid {node.tag.rpartition(':')[2]}", node
            ) from error

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
            raise _fault(f"a number of {len(node.value):,} characters", node)
        return super().construct_scalar(node)


def _fault(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def one_line(error: yaml.MarkedYAMLError) -> str:
    """An error of the parser or the loader with its place, without line breaks."""
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    message = ", ".join(part for part in (error.context, error.problem) if part)
    return place + " ".join(message.split())


def quoted(key: object) -> str:
    """A value for a message, cut at MAX_QUOTED characters."""
    return repr(key)[:MAX_QUOTED]
