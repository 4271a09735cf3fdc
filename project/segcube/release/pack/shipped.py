"""The files of a submission that are shipped: those that it names, and documents such as the model card."""

from __future__ import annotations

import gzip
import re
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segcube.backends.openvino import INDEX, read_compiled
from segcube.core import printable
from segcube.spec.submission import LoadedSubmission, load_for_challenge, submission_folders

DOCUMENTS = re.compile(
    r"(MODEL_CARD|COPYING|NOTICE|CITATION|README|LICEN[CS]E([-_.](MIT|BSD|Apache|[AL]?GPL|MPL|CC|ISC)[\w.-]*?)?)"
    r"(\.(md|txt|rst|cff|bib))?",
    re.IGNORECASE,
)
"""Names of documents that are shipped with a submission."""
COMPRESSION_LEVEL = 1
"""Weights hardly compress."""


@dataclass(frozen=True)
class ShippedFiles:
    """The files of a submission's folder that are shipped, and those that are not."""

    files: dict[str, Path]
    """By name, sorted."""
    left_out: tuple[str, ...]
    """Names of the other files and folders."""

    def lines(self) -> list[str]:
        """Return a list of both as text, one name a line."""
        lines = ["shipped, in additional_files.tar.gz and in the image:"]
        lines += [f"  {printable(name)}" for name in self.files]
        if self.left_out:
            lines.append("left out, neither named in submission.yaml or openvino.yaml nor a document:")
            lines += [f"  {printable(name)}" for name in self.left_out]
        return lines


def shipped_files(loaded: LoadedSubmission) -> ShippedFiles:
    """Select the files of a submission's folder to ship.

    These are submission.yaml with the weights and challenge files that it names, openvino.yaml with the
    compiled networks that it names, and documents such as the model card and the licence. Raises
    EnvironmentFault for an openvino.yaml that cannot be read.
    """
    folder, submission = loaded.folder, loaded.submission
    named = {"submission.yaml", *(member.file for member in submission.members)}
    named |= {
        key
        for key in submission.challenge_keys
        if key.endswith((".yaml", ".yml")) and (folder / key).is_file()
    }
    if (folder / INDEX).is_file():
        named |= {INDEX, *(entry.file for entry in read_compiled(folder).entries.values())}
    files, left_out = {}, []
    for file in sorted(folder.iterdir()):
        # A link may point to any file of this machine; that of a member is checked by its sha256
        is_document = DOCUMENTS.fullmatch(file.name) and not file.is_symlink()
        if file.is_file() and (file.name in named or is_document):
            files[file.name] = file
        else:
            left_out.append(file.name + "/" * file.is_dir())
    return ShippedFiles(files, tuple(left_out))


def copy_submissions(source: Path, target: Path) -> None:
    """Copy the shipped files of a submission, or of each submission below a folder, to `target`.

    Creates `target`, which stays empty if there is no submission. The Dockerfile calls this. Raises what
    `load_for_challenge` raises.
    """
    target.mkdir(parents=True, exist_ok=True)
    for folder in submission_folders(source):
        place = target / folder.relative_to(source)
        place.mkdir(exist_ok=True)
        for name, file in shipped_files(load_for_challenge(folder)).files.items():
            shutil.copyfile(file, place / name)


def write_archive(files: Mapping[str, Path], archive: Path) -> None:
    """Write files under the given names to the root of a .tar.gz, without owners and times."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", COMPRESSION_LEVEL, raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for name, file in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = file.stat().st_size
            entry.mode = 0o644
            with file.open("rb") as opened:
                tar.addfile(entry, opened)
