"""What the file system says of a label map."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from segcube.errors import Code
from segcube.harness.checks.codes import FindingCode
from segcube.harness.checks.findings import Finding, error, warning

ROOT = 0


def file_findings(file: Path) -> Iterator[Finding]:
    """Links, permissions and owner of a map.

    The folder's own permissions are the host's, not the submission's: they are not judged.
    """
    if file.is_symlink():
        yield error(
            FindingCode.LINK,
            f"a link to {file.readlink()}",
            file=file,
            expected="the map itself: a link breaks where the folder is mounted or packed",
            mend="copy the file in its place",
        )
    try:
        status, owner = file.stat(), file.parent.parent.stat().st_uid
    except OSError as fault:
        if not file.is_symlink():
            yield error(Code.UNREADABLE, f"cannot be reached: {fault.strerror}", file=file)
        return
    if stat.S_ISREG(status.st_mode) and not status.st_mode & stat.S_IROTH:
        yield error(
            FindingCode.PERMISSIONS,
            f"mode {stat.S_IMODE(status.st_mode):04o}: other users cannot read it",
            file=file,
            expected="a file that the evaluator's user may read",
            mend="chmod a+r",
        )
    if status.st_uid == ROOT and owner != ROOT:
        yield warning(
            FindingCode.ROOT_OWNED,
            "belongs to root",
            file=file,
            expected="the owner of the folder around it",
            mend="start the container with --user $(id -u):$(id -g)",
        )
