"""Saved probabilities: an .npz a case, and one a member, for `segcube tune` and for a person to look at."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from segcube.core import Box, Grid, bounding_box, to_numpy, write_atomic
from segcube.inference.merge import StageOutput
from segcube.spec.submission import Member, Stage

KEYS = ("probabilities_kxyz", "names", "kind", "box_start", "box_stop", "shape", "affine")


@dataclass(frozen=True)
class SavedProbabilities:
    """Where the last stage's probabilities are saved, merged and perhaps a file a member."""

    folder: Path
    each_member: bool = False
    fingerprint: str = ""
    """Of the submission, settings and inputs of the case at hand."""

    def file(self, case: str, member: Member | None = None) -> Path:
        """The file of a case's merged probabilities, or of one member's."""
        return self.folder / (f"{case}.{Path(member.file).stem}.npz" if member else f"{case}.npz")

    def files(self, case: str, stage: Stage) -> list[Path]:
        """All files of a case; stage: the last one."""
        members = [m for branch in stage.branches for m in branch.members] if self.each_member else []
        return [self.file(case), *(self.file(case, member) for member in members)]


def save_probabilities(
    output: StageOutput,
    grid: Grid,
    file: Path,
    fingerprint: str = "",
    dtype: type[np.float32 | np.float16] = np.float32,
) -> None:
    """Write the probabilities inside the smallest box that holds all that is not certain background.

    An .npz of probabilities_kxyz, names, kind, box_start, box_stop, shape and affine, all on the native grid,
    and the fingerprint of the case's map. dtype: of the probabilities; float32 keeps what the label map was
    decided by, float16 takes half the room. A stage that found nothing gives an empty box. Raises
    EnvironmentFault when the file cannot be written.
    """
    probabilities_kxyz = np.zeros((len(output.names), *output.shape), dtype=dtype)
    _fill(probabilities_kxyz, output)
    background = 1 if output.kind == "labels" else 0
    found_xyz = (probabilities_kxyz[background:] > 0).any(axis=0)
    box = bounding_box(found_xyz) or Box((0, 0, 0), (0, 0, 0))
    content = BytesIO()
    np.savez(
        content,
        probabilities_kxyz=box.apply(probabilities_kxyz),
        names=np.array(output.names),
        kind=np.array(output.kind),
        box_start=np.array(box.start),
        box_stop=np.array(box.stop),
        shape=np.array(grid.shape),
        affine=grid.affine,
        fingerprint=np.array(fingerprint),
    )
    write_atomic(file, content.getvalue())


def native_probabilities(output: StageOutput) -> np.ndarray:
    """A stage's probabilities on the whole native grid, float32 (K, X, Y, Z)."""
    probabilities_kxyz = np.zeros((len(output.names), *output.shape), dtype=np.float32)
    if output.kind == "labels":
        probabilities_kxyz[0] = 1
    _fill(probabilities_kxyz, output)
    return probabilities_kxyz


def _fill(probabilities_kxyz: np.ndarray, output: StageOutput) -> None:
    for place, slab_kxyz in output.slabs():
        probabilities_kxyz[(slice(None), *place.slices)] = to_numpy(slab_kxyz)


def saved_fingerprint(file: Path) -> str | None:
    """The fingerprint of saved probabilities, empty where they carry none; None for any other file."""
    if not file.is_file():
        return None
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as saved:
            if not isinstance(saved, np.lib.npyio.NpzFile) or not set(KEYS) <= set(saved.files):
                return None
            return str(saved["fingerprint"]) if "fingerprint" in saved.files else ""
    except (OSError, ValueError, LookupError, EOFError, RuntimeError, BadZipFile, zlib.error):
        # NotImplementedError, for a compression that is not known, is a RuntimeError
        return None
