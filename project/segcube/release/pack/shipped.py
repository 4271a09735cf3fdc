"""Which files of a submission's folder are handed in: those that it names, and the documents beside them."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from segcube.backends.openvino import INDEX, read_compiled
from segcube.core import printable
from segcube.spec.submission import LoadedSubmission, load_for, submission_folders

DOCUMENTS = re.compile(
    r"(MODEL_CARD|COPYING|NOTICE|CITATION|README|LICEN[CS]E([-_.](MIT|BSD|Apache|[AL]?GPL|MPL|CC|ISC)[\w.-]*?)?)"
    r"(\.(md|txt|rst|cff|bib))?",
    re.IGNORECASE,
)
"""Names of documents that go with a submission."""


@dataclass(frozen=True)
class ShippedFiles:
    """The files of a submission's folder that are handed in, and those that are not."""

    files: dict[str, Path]
    """By their names, in order."""
    left_out: tuple[str, ...]
    """Names of the other files and folders."""

    def lines(self) -> list[str]:
        """The list for a person: a line for each name."""
        lines = ["shipped, in additional_files.tar.gz and in the image:"]
        lines += [f"  {printable(name)}" for name in self.files]
        if self.left_out:
            lines.append("left out, named neither by submission.yaml nor by openvino.yaml, and no document:")
            lines += [f"  {printable(name)}" for name in self.left_out]
        return lines


def shipped_files(loaded: LoadedSubmission) -> ShippedFiles:
    """Choose the files of a submission's folder that are handed in.

    These are submission.yaml, the members and the challenges of its own that it names, openvino.yaml and the
    graphs that it names, and documents such as the model card and the licence. Raises EnvironmentFault for an
    openvino.yaml that cannot be read.
    """
    folder, submission = loaded.folder, loaded.submission
    named = {"submission.yaml", *(member.file for member in submission.members)}
    named |= {key for key in submission.keys if key.endswith((".yaml", ".yml")) and (folder / key).is_file()}
    if (folder / INDEX).is_file():
        named |= {INDEX, *(entry.file for entry in read_compiled(folder).entries.values())}
    files, left_out = {}, []
    for file in sorted(folder.iterdir()):
        # A link may lead to any file of this machine; that of a member is checked by its sha256
        is_document = DOCUMENTS.fullmatch(file.name) and not file.is_symlink()
        if file.is_file() and (file.name in named or is_document):
            files[file.name] = file
        else:
            left_out.append(file.name + "/" * file.is_dir())
    return ShippedFiles(files, tuple(left_out))


def copy_submissions(source: Path, target: Path) -> None:
    """Copy the shipped files of a submission, or of each one below a folder; the image's build does so.

    `target` is created, and stays empty where there is no submission. Raises what `load_for` raises.
    """
    target.mkdir(parents=True, exist_ok=True)
    for folder in submission_folders(source):
        place = target / folder.relative_to(source)
        place.mkdir(exist_ok=True)
        for name, file in shipped_files(load_for(folder)).files.items():
            shutil.copyfile(file, place / name)
