"""Files that are incomplete, damaged or of another format."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib

from .make_case import Fault, SyntheticCase, table

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 4821\n"
HTML = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body></body></html>\n"
DICOM = b"\0" * 128 + b"DICM\2\0\0\0UL\4\0\xbe\0\0\0"
BOMB = gzip.compress(b"\0" * 2**24) * 256
"""4 GiB in 256 members."""


def flipped(packed: bytes, place: int, bit: int = 3) -> bytes:
    return packed[:place] + bytes([packed[place] ^ 1 << bit]) + packed[place + 1 :]


def flip(part: float, level: int = 6):
    """Flip a bit at a fraction of the file's length."""

    def apply(case: SyntheticCase) -> None:
        packed = case.packed(level=level)
        case.put(flipped(packed, int(part * len(packed))))

    return apply


def cut(part: float):
    def apply(case: SyntheticCase) -> None:
        packed = case.packed()
        case.put(packed[: int(part * len(packed))])

    return apply


def packed_as(pack):
    return lambda case: case.put(pack(case.plain()))


def holding(content: bytes, ending: str = ".nii.gz"):
    return lambda case: case.put(content, ending=ending)


def with_flags(flags: int, extra: bytes):
    """Set flags of the gzip header, with the fields that they require."""

    def apply(case: SyntheticCase) -> None:
        packed = case.packed()
        case.put(packed[:3] + bytes([flags]) + packed[4:10] + extra + packed[10:])

    return apply


def archive(content: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as opened:
        opened.writestr("a.nii", content)
    return held.getvalue()


def tarball(content: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as opened:
        entry = tarfile.TarInfo("a.nii")
        entry.size = len(content)
        opened.addfile(entry, io.BytesIO(content))
    return held.getvalue()


def without_end(case: SyntheticCase) -> None:
    """Leave zeros at the end, like an aborted download that allocates its file first."""
    packed = case.packed()
    half = len(packed) // 2
    case.put(packed[:half] + b"\0" * (len(packed) - half))


def longer(count: int, ending: str):
    """A sparse file of this many bytes that starts with the valid one."""

    def apply(case: SyntheticCase) -> None:
        case.store(ending=ending)
        os.truncate(case.file(ending=ending), count)

    return apply


def crc_wrong(content: bytes) -> bytes:
    packed = gzip.compress(content)
    return packed[:-8] + struct.pack("<I", zlib.crc32(content) ^ 1) + packed[-4:]


def half_pair(magic: bytes):
    return lambda case: case.store(fields={"magic": magic})


TRUNCATED = table(
    "TRUNCATED",
    cut_in_half=cut(0.5),
    cut_at_a_tenth=cut(0.1),
    cut_at_nine_tenths=cut(0.9),
    cut_by_one_byte=lambda case: case.put(case.packed()[:-1]),
    cut_in_its_length=lambda case: case.put(case.packed()[:-3]),
    cut_before_its_trailer=lambda case: case.put(case.packed()[:-8]),
    cut_after_the_gzip_header=lambda case: case.put(case.packed()[:10]),
    cut_in_the_gzip_header=lambda case: case.put(case.packed()[:5]),
    cut_after_the_magic=lambda case: case.put(case.packed()[:2]),
    packed_less_one_byte=packed_as(lambda plain: gzip.compress(plain[:-1])),
    packed_half=packed_as(lambda plain: gzip.compress(plain[: len(plain) // 2])),
    packed_header_alone=packed_as(lambda plain: gzip.compress(plain[:348])),
    packed_header_and_extender=packed_as(lambda plain: gzip.compress(plain[:352])),
    packed_part_of_a_header=packed_as(lambda plain: gzip.compress(plain[:100])),
    packed_first_byte=packed_as(lambda plain: gzip.compress(plain[:1])),
    stored_without_deflating_and_cut=lambda case: case.put(case.packed(level=0)[:2000]),
    second_member_cut=packed_as(lambda plain: gzip.compress(plain[:900]) + gzip.compress(plain[900:])[:-20]),
    second_member_missing=packed_as(lambda plain: gzip.compress(plain[:900])),
    plain_cut_in_half=lambda case: case.put(case.plain()[:2000], ending=".nii"),
    plain_less_one_byte=lambda case: case.put(case.plain()[:-1], ending=".nii"),
    plain_header_alone=lambda case: case.put(case.plain()[:348], ending=".nii"),
    plain_part_of_a_header=lambda case: case.put(case.plain()[:40], ending=".nii"),
    end_of_zeros=without_end,
    reference_cut=lambda case: case.put(case.packed("t1c")[:-100], "t1c"),
)

CORRUPT = table(
    "CORRUPT",
    bit_flipped_at_a_tenth=flip(0.1),
    bit_flipped_at_a_third=flip(0.33),
    bit_flipped_in_the_middle=flip(0.5),
    bit_flipped_near_the_end=flip(0.97),
    bit_flipped_in_stored_voxels=flip(0.6, level=0),
    bit_flipped_in_a_stored_affine=lambda case: case.put(flipped(case.packed(level=0), 15 + 282)),
    bit_flipped_in_a_stored_size=lambda case: case.put(flipped(case.packed(level=0), 15 + 42, 0)),
    bit_flipped_in_a_stored_magic=lambda case: case.put(flipped(case.packed(level=0), 15 + 344, 0)),
    bit_flipped_in_the_method=lambda case: case.put(flipped(case.packed(), 2)),
    reserved_flags=lambda case: case.put(flipped(case.packed(), 3, 6)),
    header_crc_wrong=with_flags(2, b"\0\0"),
    crc_wrong=lambda case: case.put(flipped(case.packed(), len(case.packed()) - 8)),
    crc_zero=lambda case: case.put(case.packed()[:-8] + b"\0\0\0\0" + case.packed()[-4:]),
    length_wrong=lambda case: case.put(flipped(case.packed(), len(case.packed()) - 4)),
    length_zero=lambda case: case.put(case.packed()[:-4] + b"\0\0\0\0"),
    second_crc_wrong=packed_as(lambda plain: gzip.compress(plain[:900]) + crc_wrong(plain[900:])),
    rubbish_after_it=lambda case: case.put(case.packed() + b"rubbish"),
    rubbish_after_padding=lambda case: case.put(case.packed() + b"\0" * 512 + b"x"),
    half_a_magic_after_it=lambda case: case.put(case.packed() + b"\x1f\x8c"),
    member_of_rubbish_after_it=lambda case: case.put(case.packed() + b"\x1f\x8b\x08\0" + b"\xff" * 40),
    middle_of_zeros=lambda case: case.put(case.packed()[:800] + b"\0" * 200 + case.packed()[1000:]),
    bytes_lost=lambda case: case.put(case.packed()[:800] + case.packed()[810:]),
    bytes_twice=lambda case: case.put(case.packed()[:800] + case.packed()[700:]),
    sent_as_text=lambda case: case.put(case.packed().replace(b"\n", b"\r\n")),
    rubbish_under_a_magic=holding(b"\x1f\x8b\x08\0" + b"\xff" * 500),
)


EMPTY = table(
    "EMPTY_FILE",
    empty=holding(b""),
    empty_plain=holding(b"", ".nii"),
    empty_packed=holding(gzip.compress(b"")),
    empty_members=holding(gzip.compress(b"") * 3),
    empty_reference=lambda case: case.put(b"", "t1c"),
)

NOT_NIFTI = table(
    "NOT_NIFTI",
    lfs_pointer=holding(LFS),
    lfs_pointer_plain=holding(LFS, ".nii"),
    lfs_pointer_packed=holding(gzip.compress(LFS)),
    html=holding(HTML),
    html_packed=holding(gzip.compress(HTML * 20)),
    json_text=holding(b'{"error": "expired"}', ".nii"),
    dicom=holding(DICOM + b"\0" * 800, ".nii"),
    dicom_packed=holding(gzip.compress(DICOM + b"\0" * 800)),
    nrrd=holding(b"NRRD0004\ntype: short\n" + b"\0" * 500, ".nii"),
    png=holding(b"\x89PNG\r\n\x1a\n" + b"\0" * 500),
    hdf5=holding(b"\x89HDF\r\n\x1a\n" + b"\0" * 500, ".nii"),
    mgz=holding(gzip.compress(b"\0\0\0\1\0\0\0\4" + b"\0" * 500)),
    zeros=holding(b"\0" * 4096),
    zeros_packed=holding(gzip.compress(b"\0" * 4096)),
    noise=holding(b"\x7f\x11\xee" * 700, ".nii"),
    zip_renamed=packed_as(archive),
    bzip2_renamed=packed_as(bz2.compress),
    xz_renamed=packed_as(lzma.compress),
    zstd_renamed=holding(b"\x28\xb5\x2f\xfd" + b"\0" * 300),
    zlib_without_gzip=packed_as(zlib.compress),
    tarball_renamed=packed_as(tarball),
    packed_twice=packed_as(lambda plain: gzip.compress(gzip.compress(plain))),
    plain_named_as_packed=lambda case: case.put(case.plain()),
    packed_named_as_plain=lambda case: case.put(case.packed(), ending=".nii"),
    magic_of_a_pair=half_pair(b"ni1"),
    magic_empty=half_pair(b""),
    magic_of_nifti2=half_pair(b"n+2"),
    magic_of_nifti3=half_pair(b"n+3"),
    magic_with_more=half_pair(b"n+1n"),
    header_of_a_pair_alone=lambda case: case.put(
        case.plain(fields={"magic": b"ni1", "vox_offset": 0})[:348], ending=".nii"
    ),
    header_size_0=lambda case: case.store(fields={"sizeof_hdr": 0}),
    header_size_349=lambda case: case.store(fields={"sizeof_hdr": 349}),
)

TOO_LARGE = table(
    "TOO_LARGE",
    one_byte_more=packed_as(lambda plain: gzip.compress(plain + b"\0")),
    one_byte_more_in_a_member=lambda case: case.put(case.packed() + gzip.compress(b"\0")),
    two_images_in_one=lambda case: case.put(case.packed() * 2),
    plain_one_byte_more=lambda case: case.put(case.plain() + b"\0", ending=".nii"),
    plain_two_images_in_one=lambda case: case.put(case.plain() * 2, ending=".nii"),
    plain_of_a_terabyte=longer(2**40, ".nii"),
    packed_and_padded_to_a_terabyte=longer(2**40, ".nii.gz"),
    bomb=lambda case: case.put(case.packed() + BOMB),
    bomb_in_the_reference=lambda case: case.put(case.packed("t1c") + BOMB, "t1c"),
    a_hundred_thousand_empty_members=lambda case: case.put(case.packed() + gzip.compress(b"") * 100_000),
)

STREAMS: list[Fault] = [*TRUNCATED, *CORRUPT, *EMPTY, *NOT_NIFTI, *TOO_LARGE]
