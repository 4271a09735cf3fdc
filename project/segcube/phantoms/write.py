"""Write phantoms as the files of cases: images, and label maps in a folder of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from isal import igzip
from nibabel.nifti1 import Nifti1Image

from segcube import __version__
from segcube.core import LOG, Grid, UsageError, count_of, write_atomic
from segcube.formats.nifti import foreign_files, is_written_by_segcube
from segcube.phantoms.cases import case_name, crop_phantom, make_phantom
from segcube.phantoms.generator import USUAL, Generator
from segcube.spec.challenges import Challenge

_GZIP_LEVEL = 1
_ENDING = ".nii.gz"
_MARK = "segcube-phantom"
"""In the header of each file. A phantom never replaces a label map of a run, which has another mark."""
OnCase = Callable[[str, int], None]
"""Called after each case with its name and the number of cases."""


def ignore_case(case: str, total: int) -> None:
    """Do nothing after a case."""


@dataclass(frozen=True)
class PhantomSet:
    """The cases of a challenge to write: so many of a seed, from a number on, which is in the name."""

    challenge: Challenge
    count: int
    seed: int
    first: int = 1
    generator: Generator = USUAL


def write_phantoms(
    phantoms: PhantomSet, out: Path, edge: int | None = None, on_case: OnCase = ignore_case
) -> list[str]:
    """Write cases to out/data and their label maps to out/labels, and return the cases' names.

    edge: crop each case to a box of so many voxels around its labels. on_case: called when a case has been
    written. Equal arguments write equal bytes. Earlier phantoms are replaced, and those of other numbers
    removed: all cases of a folder are of one seed. Other files of these names raise UsageError, which lists
    all of them, before the first case is written, and so does a count for which the challenge has too few
    names. Raises as `make_phantom`, and EnvironmentFault for a failed write.
    """
    challenge, count, first = phantoms.challenge, phantoms.count, phantoms.first
    indices = range(first - 1, first - 1 + count)
    if count and not challenge.is_case(last := case_name(challenge, indices[-1])):
        raise UsageError(f"{last} is no case of {challenge.key}", expected="lower numbers of cases")
    names = [case_name(challenge, index) for index in indices]
    _check_free([file for name in names for file in case_files(challenge, name, out)], out)
    _remove_phantoms(challenge, _cases_in(challenge, out).difference(names), out)
    for index, name in zip(indices, names, strict=True):
        phantom = make_phantom(challenge, phantoms.seed, index, generator=phantoms.generator)
        phantom = crop_phantom(phantom, edge) if edge else phantom
        arrays = (*phantom.image_cxyz, phantom.labels_xyz)
        for array_xyz, file in zip(arrays, case_files(challenge, name, out), strict=True):
            write_image(array_xyz, phantom.grid, file, _MARK)
        on_case(name, count)
    return names


def case_files(challenge: Challenge, case: str, out: Path) -> list[Path]:
    """Return the file of each channel, in the challenge's order, then that of the label map."""
    folder = out / "data" / (case if challenge.layout == "folders" else "")
    images = [folder / f"{case}{channel.suffixes[0]}{_ENDING}" for channel in challenge.channels]
    return [*images, out / "labels" / challenge.output_name(case)]


def _cases_in(challenge: Challenge, out: Path) -> set[str]:
    """The names of the challenge's cases that have a file or folder below `out`."""
    stems = [file.name.removesuffix(_ENDING) for file in (out / "labels").glob(f"*{_ENDING}")]
    names = {case for stem in stems if (case := challenge.case_of_output(stem)) is not None}
    if challenge.layout == "folders":
        names |= {folder.name for folder in (out / "data").glob("*")}
    else:
        endings = [f"{channel.suffixes[0]}{_ENDING}" for channel in challenge.channels]
        files = (out / "data").glob(f"*{_ENDING}")
        names |= {file.name.removesuffix(end) for file in files for end in endings if file.name.endswith(end)}
    return {name for name in names if challenge.is_case(name)}


def _remove_phantoms(challenge: Challenge, cases: Iterable[str], out: Path) -> None:
    """Remove the phantoms of an earlier run; other files stay."""
    removed = 0
    for case in cases:
        files = [file for file in case_files(challenge, case, out) if file.exists()]
        own = [file for file in files if is_written_by_segcube(file, _MARK)]
        removed += bool(own)
        for file in own:
            file.unlink()
        for folder in {file.parent for file in own} - {out / "data", out / "labels"}:
            with contextlib.suppress(OSError):
                folder.rmdir()
    if removed:
        LOG.info("%s of other numbers removed from %s", count_of(removed, "phantom"), out)


def _check_free(files: list[Path], out: Path) -> None:
    if foreign := foreign_files(files, lambda file: is_written_by_segcube(file, _MARK)):
        names = ", ".join(str(file.relative_to(out)) for file in foreign)
        raise UsageError(
            f"would replace {count_of(len(foreign), 'file')} not written by `segcube phantoms`: {names}",
            file=out,
            expected="an empty folder, or one with phantoms",
            hint="write to another folder, or move these files",
        )


def write_image(array_xyz: np.ndarray, grid: Grid, file: Path, mark: str, origin: str = "") -> None:
    """Write an image atomically; mark: in its header, of the program that it is from, with its origin."""
    image = Nifti1Image(array_xyz, grid.affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = f"{mark} {__version__} {origin}".rstrip().encode("ascii")
    image.set_sform(grid.affine, 1)
    image.set_qform(grid.affine, 1)
    write_atomic(file, igzip.compress(image.to_bytes(), _GZIP_LEVEL, mtime=0))
