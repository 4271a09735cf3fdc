"""Faults in names, files and bytes of label maps."""

from __future__ import annotations

import gzip
import os
import shutil

import numpy as np

from .label_maps import BAD, fault, patch, rewrite


@fault("MISSING_MAP")
def a_map_is_missing(at):
    at.bad.unlink()


@fault("DOUBLED_MAP", f"{BAD}.nii")
def a_map_also_exists_uncompressed(at):
    (at.maps / f"{BAD}.nii").write_bytes(gzip.decompress(at.bad.read_bytes()))


@fault("DOUBLED_MAP", "final-00001-000.nii.gz")
def another_file_matches_the_evaluators_pattern(at):
    shutil.copy(at.bad, at.maps / "final-00001-000.nii.gz")


@fault("EXTENSION", f"{BAD}.nii")
def a_map_is_not_compressed(at):
    a_map_also_exists_uncompressed(at)
    at.bad.unlink()


@fault("EXTENSION", f"{BAD}.NII.GZ")
def the_extension_is_in_capitals(at):
    at.bad.rename(at.maps / f"{BAD}.NII.GZ")


@fault("NAME", f"{BAD}-seg.nii.gz")
def the_name_has_a_suffix(at):
    at.bad.rename(at.maps / f"{BAD}-seg.nii.gz")


@fault("NAME", f"{BAD.lower()}.nii.gz")
def the_name_is_in_lower_case(at):
    at.bad.rename(at.maps / f"{BAD.lower()}.nii.gz")


@fault("NAME", f"{BAD}-t1c.nii.gz")
def the_name_is_that_of_an_image(at):
    at.bad.rename(at.maps / f"{BAD}-t1c.nii.gz")


@fault("UNKNOWN_CASE", "BraTS-GLI-00077-000.nii.gz")
def a_case_is_not_in_the_data(at):
    shutil.copy(at.bad, at.maps / "BraTS-GLI-00077-000.nii.gz")


@fault("STRAY", "report.json")
def a_report_is_in_the_folder(at):
    (at.maps / "report.json").write_text("{}")


@fault("FOLDER", "logs")
def a_folder_is_in_the_folder(at):
    (at.maps / "logs").mkdir()


@fault("FOLDER", BAD)
def maps_are_in_case_folders(at):
    (at.maps / BAD).mkdir()
    at.bad.rename(at.maps / BAD / f"{BAD}.nii.gz")


@fault("HIDDEN", ".DS_Store")
def a_hidden_file_is_in_the_folder(at):
    (at.maps / ".DS_Store").write_bytes(b"x")


@fault("HIDDEN", ".segcube-0123.part")
def a_killed_run_left_a_partial_file(at):
    (at.maps / ".segcube-0123.part").write_bytes(b"x")


@fault("LINK")
def a_map_is_a_link(at):
    at.bad.rename(at.maps.parent / "elsewhere.nii.gz")
    at.bad.symlink_to(at.maps.parent / "elsewhere.nii.gz")


@fault("LINK")
def a_map_is_a_broken_link(at):
    at.bad.unlink()
    at.bad.symlink_to("nowhere")


@fault("NOT_FILE")
def a_map_is_a_pipe(at):
    at.bad.unlink()
    os.mkfifo(at.bad)


@fault("PERMISSIONS")
def others_cannot_read_a_map(at):
    at.bad.chmod(0o600)


@fault("EMPTY_FILE")
def a_file_has_no_bytes(at):
    at.bad.write_bytes(b"")


@fault("TRUNCATED")
def a_file_is_truncated(at):
    content = at.bad.read_bytes()
    at.bad.write_bytes(content[: len(content) // 2])


@fault("TRUNCATED")
def voxels_are_missing_in_a_complete_stream(at):
    patch(at, lambda content: content.__delitem__(slice(-100, None)))


@fault("CORRUPT")
def one_bit_of_the_checksum_is_flipped(at):
    content = bytearray(at.bad.read_bytes())
    content[-8] ^= 1
    at.bad.write_bytes(bytes(content))


@fault("CORRUPT")
def bytes_follow_the_gzip_stream(at):
    at.bad.write_bytes(at.bad.read_bytes() + b"more")


@fault("TOO_LARGE")
def bytes_follow_the_voxels(at):
    patch(at, lambda content: content.extend(b"\1" * 9))


@fault("NOT_NIFTI")
def a_map_named_gz_is_not_compressed(at):
    at.bad.write_bytes(gzip.decompress(at.bad.read_bytes()))


@fault("NOT_NIFTI")
def a_map_is_text(at):
    at.bad.write_bytes(gzip.compress(b"no NIfTI at all, but as long as a header is. " * 20))


@fault("BAD_DTYPE")
def a_map_is_complex(at):
    rewrite(at, lambda labels_xyz: labels_xyz.astype(np.complex64))


@fault("BAD_HEADER")
def the_voxels_begin_inside_the_header(at):
    rewrite(at, vox_offset=16)
