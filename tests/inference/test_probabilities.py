from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest

from segcube.inference.probabilities import KEYS, saved_fingerprint


def write(file, **more) -> None:
    np.savez(file, **dict.fromkeys(KEYS, np.zeros(1)), **more)


def test_saved_probabilities_have_the_fingerprint_of_their_map(tmp_path):
    write(tmp_path / "a.npz", fingerprint=np.array("f00d"))
    assert saved_fingerprint(tmp_path / "a.npz") == "f00d"


def test_those_of_an_earlier_version_have_none(tmp_path):
    write(tmp_path / "a.npz")
    assert saved_fingerprint(tmp_path / "a.npz") == ""


def lock(file) -> None:
    """Set the flag of an encrypted entry in each record of a zip."""
    content = bytearray(file.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(signature, at + 1)
    file.write_bytes(content)


@pytest.mark.parametrize(
    "kind", ["fifo", "folder", "gone", "text", "pickle", "other zip", "cut", "encrypted"]
)
def test_anything_else_is_none_of_them(tmp_path, kind):
    file = tmp_path / "a.npz"
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "text":
        file.write_bytes(b"text")
    elif kind == "pickle":
        with file.open("wb") as opened:
            np.save(opened, np.array([{}], dtype=object), allow_pickle=True)
    elif kind == "other zip":
        with zipfile.ZipFile(file, "w") as opened:
            opened.writestr("probabilities.npy", b"")
    elif kind in ("cut", "encrypted"):
        write(file, fingerprint=np.array("f00d"))
        if kind == "cut":
            file.write_bytes(file.read_bytes()[:-40])
        else:
            lock(file)
    assert saved_fingerprint(file) is None
