"""Ways of spoiling the names, the places and the bytes of maps."""

from __future__ import annotations

import gzip
import os
import shutil

import numpy as np

from .made_maps import BAD, kind, patch, rewrite


@kind("MISSING_MAP")
def a_map_is_missing(at):
    at.bad.unlink()


@kind("DOUBLED_MAP", f"{BAD}.nii")
def an_unpacked_twin_lies_beside(at):
    (at.maps / f"{BAD}.nii").write_bytes(gzip.decompress(at.bad.read_bytes()))


@kind("DOUBLED_MAP", "final-00001-000.nii.gz")
def the_evaluator_takes_another_file_for_the_same_case(at):
    shutil.copy(at.bad, at.maps / "final-00001-000.nii.gz")


@kind("EXTENSION", f"{BAD}.nii")
def a_map_is_not_packed(at):
    an_unpacked_twin_lies_beside(at)
    at.bad.unlink()


@kind("EXTENSION", f"{BAD}.NII.GZ")
def the_extension_is_in_capitals(at):
    at.bad.rename(at.maps / f"{BAD}.NII.GZ")


@kind("NAME", f"{BAD}-seg.nii.gz")
def the_name_has_a_suffix(at):
    at.bad.rename(at.maps / f"{BAD}-seg.nii.gz")


@kind("NAME", f"{BAD.lower()}.nii.gz")
def the_name_is_in_small_letters(at):
    at.bad.rename(at.maps / f"{BAD.lower()}.nii.gz")


@kind("NAME", f"{BAD}-t1c.nii.gz")
def the_name_is_that_of_an_image(at):
    at.bad.rename(at.maps / f"{BAD}-t1c.nii.gz")


@kind("UNKNOWN_CASE", "BraTS-GLI-00077-000.nii.gz")
def a_case_is_not_in_the_data(at):
    shutil.copy(at.bad, at.maps / "BraTS-GLI-00077-000.nii.gz")


@kind("STRAY", "report.json")
def a_report_lies_beside(at):
    (at.maps / "report.json").write_text("{}")


@kind("FOLDER", "logs")
def a_folder_lies_beside(at):
    (at.maps / "logs").mkdir()


@kind("FOLDER", BAD)
def maps_lie_in_case_folders(at):
    (at.maps / BAD).mkdir()
    at.bad.rename(at.maps / BAD / f"{BAD}.nii.gz")


@kind("HIDDEN", ".DS_Store")
def a_hidden_file_lies_beside(at):
    (at.maps / ".DS_Store").write_bytes(b"x")


@kind("HIDDEN", ".segcube-0123.part")
def a_killed_run_left_a_part(at):
    (at.maps / ".segcube-0123.part").write_bytes(b"x")


@kind("LINK")
def a_map_is_a_link(at):
    at.bad.rename(at.maps.parent / "elsewhere.nii.gz")
    at.bad.symlink_to(at.maps.parent / "elsewhere.nii.gz")


@kind("LINK")
def a_link_leads_nowhere(at):
    at.bad.unlink()
    at.bad.symlink_to("nowhere")


@kind("NOT_FILE")
def a_map_is_a_pipe(at):
    at.bad.unlink()
    os.mkfifo(at.bad)


@kind("PERMISSIONS")
def others_cannot_read_a_map(at):
    at.bad.chmod(0o600)


@kind("EMPTY_FILE")
def a_file_has_no_bytes(at):
    at.bad.write_bytes(b"")


@kind("TRUNCATED")
def half_a_file(at):
    content = at.bad.read_bytes()
    at.bad.write_bytes(content[: len(content) // 2])


@kind("TRUNCATED")
def the_voxels_end_early_in_a_whole_stream(at):
    patch(at, lambda content: content.__delitem__(slice(-100, None)))


@kind("CORRUPT")
def one_bit_of_the_checksum_is_flipped(at):
    content = bytearray(at.bad.read_bytes())
    content[-8] ^= 1
    at.bad.write_bytes(bytes(content))


@kind("CORRUPT")
def bytes_follow_the_stream(at):
    at.bad.write_bytes(at.bad.read_bytes() + b"more")


@kind("TOO_LARGE")
def voxels_follow_the_last(at):
    patch(at, lambda content: content.extend(b"\1" * 9))


@kind("NOT_NIFTI")
def a_map_is_named_gz_and_not_packed(at):
    at.bad.write_bytes(gzip.decompress(at.bad.read_bytes()))


@kind("NOT_NIFTI")
def a_map_is_text(at):
    at.bad.write_bytes(gzip.compress(b"no NIfTI at all, but as long as a header is. " * 20))


@kind("BAD_DTYPE")
def a_map_is_complex(at):
    rewrite(at, lambda labels_xyz: labels_xyz.astype(np.complex64))


@kind("BAD_HEADER")
def the_voxels_begin_inside_the_header(at):
    rewrite(at, vox_offset=16)
