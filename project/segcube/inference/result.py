"""A predicted case as the Python API returns it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segcube.core import Prediction as CasePrediction
from segcube.core import UsageError, as_path
from segcube.formats.nifti import SESSION_MARK, to_nifti
from segcube.inference.folder.writing import write_with_origin
from segcube.spec.challenges import Challenge

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image

OTHER_IMAGES = (".nii", ".gz", ".hdr", ".img", ".mha", ".mhd", ".nrrd", ".npy", ".npz")
""".nii in capitals and formats that label maps are not written in: hardly the name of a folder."""


@dataclass(frozen=True, repr=False)
class Prediction(CasePrediction):
    """A case's label map on its native grid: `labels_xyz` (X, Y, Z), and what belongs to it."""

    challenge: Challenge = field(kw_only=True)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.labels_xyz.shape))
        return f"<Prediction of {self.case.name} for {self.challenge.key}: {shape} voxels>"

    @property
    def label_names(self) -> dict[int, str]:
        """The name of each label value, background included."""
        return {value: name for name, value in self.challenge.labels.items()}

    @property
    def affine(self) -> NDArray[np.float64]:
        """From voxel to millimetre (RAS+), float64 (4, 4)."""
        return self.grid.affine

    @property
    def probabilities(self) -> dict[str, NDArray[np.float32]] | None:
        """Each region's or label's probabilities, float32 (X, Y, Z); None unless they were requested."""
        found = self.probabilities_kxyz
        return None if found is None else dict(zip(self.probability_names, found, strict=True))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is unusual about the case, each as `CODE: message`."""
        return tuple(f"{notice.code}: {notice.message}" for notice in self.notices)

    def to_nifti(self) -> Nifti1Image:
        """The label map as a nibabel image with the grid and the transforms of the reference channel."""
        return to_nifti(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the label map to a .nii, .nii.gz or .png file, or under the challenge's name into a folder.

        A map that segcube wrote earlier is replaced. Returns the file. Raises UsageError for another kind of
        file, CaseError where another file is in the way, and EnvironmentFault when it cannot be written.
        """
        file = as_path(path, "the place of the label map")
        if not file.name.endswith((".nii", ".nii.gz", ".png")):
            if file.suffix.lower() in OTHER_IMAGES and not file.is_dir():
                expected = "*.nii or *.nii.gz, *.png for an image of one slice, or a folder"
                raise UsageError("not the name of a label map", file=file, expected=expected)
            file = file / self.challenge.output_name(self.case.name)
        write_with_origin(self, file, SESSION_MARK)
        return file
