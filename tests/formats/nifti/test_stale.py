from __future__ import annotations

import os
from pathlib import Path

import pytest

from segcube.core import UsageError
from segcube.formats.nifti import expect_replaceable


@pytest.mark.parametrize("content", [None, b"", b'{"kind": "mine"}'])
def test_a_file_of_the_kind_or_none_may_be_replaced(tmp_path, content):
    file = tmp_path / "a.json"
    if content is not None:
        file.write_bytes(content)
    expect_replaceable(file, "mine", (b"kind", b"mine"))


def test_what_is_no_plain_file_passes():
    expect_replaceable(None, "mine", (b"kind",))
    expect_replaceable(Path(os.devnull), "mine", (b"kind",))


def test_another_file_is_named(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"kind": "other"}')
    with pytest.raises(UsageError, match=r"a\.json: is there already, and is not mine"):
        expect_replaceable(tmp_path / "a.json", "mine", (b"kind", b"mine"))
