"""Channels that are not files, cannot be read, are missing or duplicate."""

from __future__ import annotations

import os
import shutil
import socket

from .make_case import CHANNELS, REFERENCE, Fault, SyntheticCase, table


def link(target: str):
    """Replace the channel by a link."""

    def apply(case: SyntheticCase) -> None:
        case.file().unlink()
        case.file().symlink_to(target)

    return apply


def link_to(make):
    """Replace the channel by a link to something that `make` creates."""

    def apply(case: SyntheticCase) -> None:
        aside = case.folder / "aside"
        make(aside)
        link("aside")(case)

    return apply


def instead(make):
    def apply(case: SyntheticCase) -> None:
        case.file().unlink()
        make(case.file())

    return apply


def bind(file) -> None:
    # The path of a socket must be short
    before = os.open(".", os.O_RDONLY)
    os.chdir(file.parent)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(file.name)
    finally:
        os.fchdir(before)
        os.close(before)


def locked_away(case: SyntheticCase) -> None:
    """A link into a folder without permission to search."""
    away = case.folder / ".away"
    away.mkdir()
    shutil.move(case.file(), away / "t1n.nii.gz")
    case.file().symlink_to(away / "t1n.nii.gz")
    away.chmod(0)


NOT_FILE = table(
    "NOT_FILE",
    folder=instead(lambda file: file.mkdir()),
    fifo=instead(os.mkfifo),
    socket=instead(bind),
    link_to_a_folder=link_to(lambda file: file.mkdir()),
    link_to_a_fifo=link_to(os.mkfifo),
    link_to_a_device=link("/dev/zero"),
    link_to_nothingness=link("/dev/null"),
    fifo_as_reference=lambda case: (case.file(REFERENCE).unlink(), os.mkfifo(case.file(REFERENCE))),
)

UNREADABLE = table(
    "UNREADABLE",
    no_permission=lambda case: case.file().chmod(0),
    no_permission_on_the_reference=lambda case: case.file(REFERENCE).chmod(0),
    link_into_a_locked_folder=locked_away,
    case_folder_locked=lambda case: case.folder.chmod(0),
)

LINKS = [
    Fault("link_to_text", "NOT_NIFTI", link_to(lambda file: file.write_text("no image"))),
    Fault("link_to_passwd", "NOT_NIFTI", link("/etc/passwd")),
    Fault("link_to_proc", "EMPTY_FILE", link("/proc/self/environ")),
    Fault("link_to_a_cut_file", "TRUNCATED", lambda case: _cut_aside(case)),
]


def _cut_aside(case: SyntheticCase) -> None:
    (case.folder / "aside").write_bytes(case.packed()[:500])
    link("aside")(case)


def without(*channels: str):
    return lambda case: [case.file(channel).unlink() for channel in channels]


def renamed(name: str):
    """Rename the channel's file; {} is the case's name."""
    return lambda case: case.file().rename(case.folder / name.format(case.name))


def as_pair(case: SyntheticCase) -> None:
    plain = case.plain(fields={"magic": b"ni1", "vox_offset": 0})
    case.put(plain[:348], ending=".hdr")
    case.file(ending=".img").write_bytes(plain[352:])


def emptied(case: SyntheticCase) -> None:
    without(*CHANNELS)(case)


def away_behind_a_link(case: SyntheticCase) -> None:
    """Replace the case folder by a link to it: links to folders are not followed."""
    away = case.folder.parent / f".away-{case.name}"
    case.folder.rename(away)
    case.folder.symlink_to(away)


MISSING = table(
    "MISSING_MODALITY",
    **{f"without_{channel}": without(channel) for channel in CHANNELS},
    only_the_reference=without("t1n", "t2f", "t2w"),
    nothing_there=emptied,
    dangling_link=link("nowhere"),
    link_to_itself=lambda case: link(case.file().name)(case),
    loop_of_links=lambda case: ((case.folder / "aside").symlink_to(case.file()), link("aside")(case)),
    not_yet_downloaded=renamed("{}-t1n.nii.gz.part"),
    ending_in_capitals=renamed("{}-t1n.NII.GZ"),
    channel_in_capitals=renamed("{}-T1N.nii.gz"),
    case_in_small_letters=lambda case: renamed(f"{case.name.lower()}-t1n.nii.gz")(case),
    another_case=renamed("BraTS-GLI-99999-999-t1n.nii.gz"),
    underscore=renamed("{}_t1n.nii.gz"),
    old_name_of_the_channel=renamed("{}-t1.nii.gz"),
    two_endings=renamed("{}-t1n.nii.gz.gz"),
    space_at_the_end=renamed("{}-t1n.nii.gz "),
    newline_in_the_name=renamed("{}-t1n\n.nii.gz"),
    percent_escape_in_the_name=renamed("..%2f{}-t1n.nii.gz"),
    dash_before_the_name=renamed("-{}-t1n.nii.gz"),
    hidden=renamed("._{}-t1n.nii.gz"),
    a_pair=as_pair,
    deeper=lambda case: ((case.folder / "anat").mkdir(), renamed("anat/{}-t1n.nii.gz")(case)),
    case_folder_is_a_link=away_behind_a_link,
)

DUPLICATE = table(
    "DUPLICATE",
    plain_beside_packed=lambda case: case.file(ending=".nii").write_bytes(case.plain()),
    plain_beside_packed_in_the_reference=lambda case: case.file(REFERENCE, ".nii").write_bytes(b"x"),
    link_beside_it=lambda case: case.file(ending=".nii").symlink_to(case.file()),
    dangling_link_beside_it=lambda case: case.file(ending=".nii").symlink_to("nowhere"),
    flat_beside_the_folder=lambda case: shutil.copy(case.file(), case.folder.parent),
    whole_case_twice=lambda case: shutil.copytree(case.folder, case.folder.parent / f"copy of {case.name}"),
)


FILES: list[Fault] = [*NOT_FILE, *UNREADABLE, *LINKS, *MISSING, *DUPLICATE]
