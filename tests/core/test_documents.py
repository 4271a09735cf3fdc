from __future__ import annotations

import os

import pytest

from segcube.core import UsageError, parse_json, read_json, read_yaml
from segcube.core.documents import MAX_DEPTH, MAX_JSON_VALUES, USUAL_LIMITS, parse_yaml


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def error_of(parse, text: str) -> str:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        parse(text)
    return str(caught.value)


def test_an_empty_text_gives_none():
    assert parse_yaml("") is None


def test_anchors_and_merge_keys_are_read():
    text = "base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\nagain: {<<: *base}\n"
    assert parse_yaml(text)["own"] == {"a": 1, "b": 3}


def test_a_mapping_with_overridden_merge_keys_can_be_merged():
    text = "x: &x {a: 1}\ny: &y {<<: *x, a: 2}\nz: {<<: *y}\n"
    assert parse_yaml(text)["z"] == {"a": 2}


def test_the_first_of_several_merged_mappings_overrides_the_others():
    text = "x: &x {first: 1}\ny: &y {first: 2, 'second': 2}\nz: {<<: [*x, *y], =: 3}\n"
    assert parse_yaml(text)["z"] == {"first": 1, "second": 2, "=": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: duplicate key 'a', first in line 1"),
        ("x: {a: 1, a: 1}", "line 1, column 11: duplicate key 'a'"),
        ("x: [{a: 1, 'a': 2}]", "duplicate key 'a'"),
        ("1: a\n0x1: b\n", "line 2, column 1: duplicate key 1, first in line 1"),
        ("x: &x {a: 1}\ny: {<<: *x, <<: *x}", "duplicate key '<<'"),
    ],
)
def test_duplicate_keys_are_errors_with_their_lines(text, message):
    assert message in error_of(parse_yaml, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "line 2, column 1: while parsing a flow sequence"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: expected a single document"),
        ("a: *b", "line 1: undefined alias *b"),
        ("a: &a [*a]", "line 1: undefined alias *a"),
        ("? [a]\n: b", "unhashable key"),
        ("a: {<<: 1}", "line 1, column 9: expected a mapping to merge"),
        ("a: \x07", "control characters are not allowed"),
        ("a: !!python/name:os.abort", "could not determine a constructor"),
        ("a: 2001-13-45", "line 1, column 4: '2001-13-45' is not a valid timestamp"),
        ("a: !!bool maybe", "line 1, column 4: 'maybe' is not a valid bool"),
        ("a: !!int ''", "line 1, column 4: '' is not a valid int"),
        ("%TAG !a! b\n---\na", "%TAG"),
    ],
)
def test_invalid_yaml_is_an_error_in_one_line(text, message):
    assert message in error_of(parse_yaml, text)


@pytest.mark.parametrize("number", ["1" * 101, "0x" + "f" * 99, "1" + ":1" * 50, "1" * 99 + ".5"])
def test_numbers_of_too_many_digits_are_errors(number):
    assert "line 1, column 4: a number of 101 characters" in error_of(parse_yaml, f"a: {number}")


def test_integer_keys_large_enough_for_equal_hashes_are_errors():
    with pytest.raises(ValueError, match=r"line 1.*integer key"):
        parse_yaml(f"{2**61 - 1}: 1")
    assert parse_yaml(f"{2**59}: 1") == {2**59: 1}


@pytest.mark.parametrize("parse", [parse_yaml, parse_json])
def test_nesting_is_limited(parse):
    parse(nested(MAX_DEPTH))
    assert f"more than {MAX_DEPTH} levels" in error_of(parse, nested(MAX_DEPTH + 1))


def test_nesting_is_counted_with_aliases_expanded():
    half = MAX_DEPTH // 2
    text = f"- &a {nested(half - 1)}\n- {'[' * half}*a{']' * half}\n"
    parse_yaml(text)
    deeper = f"- &a {nested(half)}\n- {'[' * half}*a{']' * half}\n"
    assert "line 2: more than 64 levels" in error_of(parse_yaml, deeper)


@pytest.mark.parametrize("part", ["x", "x" * 6400], ids=["nodes", "text"])
def test_size_is_counted_with_aliases_expanded(part):
    copies = USUAL_LIMITS.size // (1 + len(part) // 64)
    head = f"a: &a {part}\nb: ["
    parse_yaml(head + "*a," * (copies - 10) + "]")
    assert "line 2: more than 25,000 values" in error_of(parse_yaml, head + "*a," * copies + "]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "duplicate key 'a'"),
        ('{"a": ' + "1" * 101 + "}", "a number of 101 digits"),
        ("[" + "0," * MAX_JSON_VALUES + "0]", "more than 1,000,000 values"),
        ("[" * 100_000, f"more than {MAX_DEPTH} levels"),
        ("{", "Expecting property name"),
    ],
)
def test_invalid_json_is_an_error_in_one_line(text, message):
    assert message in error_of(parse_json, text)


@pytest.mark.parametrize("read", [read_yaml, read_json])
def test_errors_name_a_missing_file(tmp_path, read):
    with pytest.raises(UsageError, match=r"none\.txt: no such file; expected"):
        read(tmp_path / "none.txt", UsageError)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: file.mkdir(), "not a regular file"),
        (os.mkfifo, "not a regular file"),
        (lambda file: file.symlink_to("/dev/zero"), "not a regular file"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "can't decode"),
        (lambda file: file.write_bytes(b" " * (USUAL_LIMITS.bytes + 1)), "more than 1 MiB"),
    ],
    ids=["folder", "fifo", "device", "bytes", "size"],
)
def test_errors_name_an_unreadable_file(tmp_path, make, message):
    file = tmp_path / "a.yaml"
    make(file)
    with pytest.raises(UsageError, match=rf"a\.yaml: cannot be read: .*{message}"):
        read_yaml(file, UsageError)


def test_a_file_of_the_maximum_size_is_read(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_bytes(b" " * USUAL_LIMITS.bytes)
    assert read_yaml(file, UsageError) is None
