"""Incomplete and damaged files, and paths that are not files."""

from __future__ import annotations

import gzip
import os
import socket
import time

import numpy as np
import pytest

from segcube.core import Case, CaseError, Code
from segcube.formats.nifti import read_volume

from .conftest import encode, voxels

SOUND = encode(voxels())
PACKED = gzip.compress(SOUND, mtime=0)
NOISE = np.random.default_rng(0).integers(0, 2**15, (12, 12, 12)).astype(np.int16)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"


def refusal(file) -> str:
    with pytest.raises(CaseError) as caught:
        read_volume(Case("a", {"t1": file}, "t1"), ["t1"])
    return str(caught.value.code)


FILES = {
    "EMPTY_FILE": [
        ("a.nii.gz", b""),
        ("a.nii.gz", gzip.compress(b"")),
    ],
    "NOT_NIFTI": [
        ("a.nii.gz", LFS),
        ("a.nii.gz", gzip.compress(LFS)),
        ("a.nii.gz", b"\0" * 4096),
        ("a.nii.gz", SOUND),
        ("a.nii", PACKED),
        ("a.nii.gz", gzip.compress(PACKED)),
    ],
    "TRUNCATED": [
        ("a.nii", SOUND[:-1]),
        ("a.nii", SOUND[:352]),
        ("a.nii", SOUND[:350]),
        ("a.nii", SOUND[:2]),
        ("a.nii.gz", gzip.compress(SOUND[:-1])),
        ("a.nii.gz", PACKED[:2]),
        ("a.nii.gz", PACKED[: len(PACKED) // 2]),
        ("a.nii.gz", PACKED[:-1]),
        ("a.nii.gz", PACKED[:-8]),
    ],
    "TOO_LARGE": [
        ("a.nii", SOUND + b"\0"),
        ("a.nii.gz", gzip.compress(SOUND + b"\0")),
        ("a.nii.gz", PACKED + gzip.compress(b"\0")),
    ],
    "CORRUPT": [
        ("a.nii.gz", PACKED + b"rubbish"),
        ("a.nii.gz", b"\x1f\x8b\x08\0" + b"\xff" * 500),
        ("a.nii.gz", PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:]),
        ("a.nii.gz", PACKED[:-4] + b"\0\0\0\0"),
    ],
}


@pytest.mark.parametrize("code", FILES)
def test_incomplete_files_are_errors(tmp_path, code):
    for number, (name, content) in enumerate(FILES[code]):
        file, link = tmp_path / f"{number}-{name}", tmp_path / f"link-{number}-{name}"
        file.write_bytes(content)
        link.symlink_to(file)
        assert (refusal(file), refusal(link)) == (code, code), number


def test_a_flipped_bit_is_an_error_or_without_effect(tmp_path):
    """Of each byte of a gzip file, one bit. The name, time and system in its header count for nothing."""
    file = tmp_path / "a.nii.gz"
    packed = gzip.compress(encode(NOISE[:5, :5, :5]), mtime=0)
    case = Case("a", {"t1": file}, "t1")
    codes: dict[int, Code] = {}
    for place in range(len(packed)):
        file.write_bytes(packed[:place] + bytes([packed[place] ^ 1 << place % 8]) + packed[place + 1 :])
        try:
            volume = read_volume(case, ["t1"])
        except CaseError as error:
            codes[place] = error.code
        else:
            assert place in range(3, 10)
            np.testing.assert_array_equal(volume.image_cxyz[0], NOISE[:5, :5, :5])
    assert {codes.pop(0), codes.pop(1)} == {Code.NOT_NIFTI}
    assert set(codes.values()) <= {Code.CORRUPT, Code.TRUNCATED}


def test_damage_that_invalidates_the_header_is_reported_as_damage(tmp_path):
    file = tmp_path / "a.nii.gz"
    packed = bytearray(gzip.compress(encode(NOISE), compresslevel=0, mtime=0))
    where = packed.index(b"n+1")
    packed[where] ^= 1
    file.write_bytes(packed)
    assert refusal(file) == "CORRUPT"


def test_a_damaged_reference_is_reported_before_other_channels(tmp_path):
    files = {}
    for name in ("t1", "t2"):
        files[name] = tmp_path / f"{name}.nii.gz"
        files[name].write_bytes(gzip.compress(encode(NOISE), compresslevel=0, mtime=0))
    packed = bytearray(files["t2"].read_bytes())
    header = packed.index(b"n+1") - 344
    packed[header + 280 + 2] ^= 0x10  # srow_x
    files["t2"].write_bytes(packed)
    with pytest.raises(CaseError) as caught:
        read_volume(Case("a", files, "t2"), ["t1", "t2"])
    assert caught.value.code == Code.CORRUPT
    assert caught.value.file == files["t2"]


@pytest.mark.parametrize("fields", [{}, {"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]}])
def test_a_gzip_bomb_is_not_decompressed(tmp_path, fields):
    file = tmp_path / "a.nii.gz"
    member = gzip.compress(b"\0" * 2**24)
    file.write_bytes(gzip.compress(encode(voxels(), fields=fields)) + member * 256)
    begin = time.process_time()
    assert refusal(file) == "TOO_LARGE"
    assert time.process_time() - begin < 1


def test_an_oversized_file_is_not_read(tmp_path):
    file = tmp_path / "a.nii"
    file.write_bytes(SOUND)
    os.truncate(file, 2**40)
    assert refusal(file) == "TOO_LARGE"


@pytest.mark.parametrize("kind", ["folder", "fifo", "socket", "device"])
def test_special_files_are_not_opened(tmp_path, kind, monkeypatch):
    file = tmp_path / "a.nii.gz"
    if kind == "folder":
        file.mkdir()
    elif kind == "fifo":
        os.mkfifo(file)
    elif kind == "socket":
        monkeypatch.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(file.name)
    else:
        file.symlink_to("/dev/zero")
    assert refusal(file) == "NOT_FILE"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_an_error(tmp_path):
    file = tmp_path / "a.nii.gz"
    file.write_bytes(PACKED)
    file.chmod(0)
    assert refusal(file) == "UNREADABLE"


def test_a_missing_file_is_an_error(tmp_path):
    assert refusal(tmp_path / "a.nii.gz") == "UNREADABLE"


def test_a_circular_link_is_an_error(tmp_path):
    file = tmp_path / "a.nii.gz"
    file.symlink_to(file)
    assert refusal(file) == "UNREADABLE"
