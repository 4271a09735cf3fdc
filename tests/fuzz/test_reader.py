"""Arbitrary bytes for the reader: no crash, no hang, no silent misreading."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from segcube.core import Code, Volume
from segcube.formats.nifti import gzipped

from ..formats.nifti.conftest import encode, voxels
from .compare import REFUSALS, read_and_compare

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
NOISE = np.random.default_rng(0).integers(-500, 500, (5, 4, 3)).astype(np.int16)
KINDS = {
    "nifti1": encode(NOISE),
    "nifti1 big": encode(NOISE, order=">"),
    "nifti2": encode(NOISE.astype("f4"), kind=nib.Nifti2Header),
    "scaled": encode(NOISE.astype("u1"), fields={"scl_slope": 2, "scl_inter": -3}),
}
BOUNDED = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
kinds = st.sampled_from(sorted(KINDS))
bytes_set = st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), max_size=6)
boundary_values = st.sampled_from([0, 1, 2, 3, 4, 7, 8, 16, 64, 255, 256, 348, 352, 2**15 - 1, 2**15])
fields_set = st.lists(
    st.tuples(st.sampled_from([*range(40, 56), 70, 71, 72, 73, *range(76, 124)]), boundary_values), max_size=4
)


def test_findings_of_the_fuzzer_are_refused_or_read_like_nibabel(tmp_path):
    assert len(CORPUS) > 50
    for file in CORPUS:
        for name in ("a.nii", "a.nii.gz"):
            try:
                read_and_compare(file.read_bytes(), tmp_path / name)
            except Exception as error:
                error.add_note(f"tests/fuzz/corpus/{file.name} as {name}")
                raise


@BOUNDED
@given(kind=kinds, changes=bytes_set)
@example(kind="nifti1", changes=[])
def test_a_changed_header_is_refused_or_read_like_nibabel(tmp_path, kind, changes):
    plain = bytearray(KINDS[kind])
    for place, value in changes:
        plain[place] = value
    read_and_compare(bytes(plain), tmp_path / "a.nii")


@BOUNDED
@given(kind=kinds, changes=fields_set)
def test_changed_integers_of_a_header_are_refused_or_read_like_nibabel(tmp_path, kind, changes):
    plain = bytearray(KINDS[kind])
    for place, value in changes:
        plain[place : place + 2] = value.to_bytes(2, "big" if "big" in kind else "little")
    read_and_compare(gzip.compress(bytes(plain), 1), tmp_path / "a.nii.gz")


@BOUNDED
@given(
    kind=kinds, number=st.floats(width=32), place=st.sampled_from([80, 84, 88, 108, 112, 116, 256, 280, 324])
)
def test_changed_floats_of_a_header_are_refused_or_read_like_nibabel(tmp_path, kind, number, place):
    plain = bytearray(KINDS[kind])
    order = ">" if "big" in kind else "<"
    plain[place : place + 4] = np.array(number, f"{order}f4").tobytes()
    read_and_compare(bytes(plain), tmp_path / "a.nii")


cuts = st.tuples(st.floats(0, 1), st.floats(0, 0.1), st.binary(max_size=12))


@BOUNDED
@given(kind=kinds, level=st.integers(0, 9), edits=st.lists(cuts, min_size=1, max_size=3))
def test_a_changed_gzip_stream_is_refused_or_read_identically(tmp_path, kind, level, edits):
    """Remove and insert parts of the stream at any place."""
    packed = gzip.compress(KINDS[kind], level, mtime=0)
    for where, length, put in edits:
        start = int(where * len(packed))
        packed = packed[:start] + put + packed[start + int(length * len(packed)) :]
    found = read_and_compare(packed, tmp_path / "a.nii.gz")
    if isinstance(found, Volume):
        plain = read_and_compare(KINDS[kind], tmp_path / "plain.nii")
        np.testing.assert_array_equal(found.image_cxyz, plain.image_cxyz)


@BOUNDED
@given(
    kind=kinds,
    edges=st.lists(st.integers(0, 470), max_size=12),
    fed=st.integers(4, 64),
    zeros=st.integers(0, 70),
)
def test_members_and_blocks_of_any_size_are_one_stream(tmp_path, kind, edges, fed, zeros):
    plain = KINDS[kind]
    places = [0, *sorted(edges), len(plain)]
    packed = b"".join(gzip.compress(plain[a:b], 1) for a, b in pairwise(places))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gzipped, "READ_BYTES", fed)
        assert isinstance(read_and_compare(packed + b"\0" * zeros, tmp_path / "a.nii.gz"), Volume)


@BOUNDED
@given(
    content=st.binary(max_size=600),
    start=st.sampled_from([b"", b"\x1f\x8b\x08\0", b"\x5c\1\0\0", encode(voxels())[:348]]),
)
def test_arbitrary_bytes_are_refused(tmp_path, content, start):
    for name in ("a.nii", "a.nii.gz"):
        found = read_and_compare(start + content, tmp_path / name)
        assert isinstance(found, Volume) or found in REFUSALS


@BOUNDED
@given(kind=kinds, length=st.integers(0, 500), level=st.integers(0, 9))
def test_a_truncated_file_is_always_refused(tmp_path, kind, length, level):
    packed = gzip.compress(KINDS[kind], level, mtime=0)
    plain = KINDS[kind]
    assert read_and_compare(packed[: min(length, len(packed) - 1)], tmp_path / "a.nii.gz") in {
        Code.TRUNCATED,
        Code.EMPTY_FILE,
        Code.NOT_NIFTI,
    }
    assert read_and_compare(plain[: min(length, len(plain) - 1)], tmp_path / "a.nii") in {
        Code.TRUNCATED,
        Code.EMPTY_FILE,
        Code.BAD_HEADER,
    }
