"""Sound cases and their label maps, and how ways of spoiling them are entered."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from segcube.release.check import CheckReport

NAMES = tuple(f"BraTS-GLI-{number:05d}-000" for number in range(1, 5))
BAD = NAMES[0]
SHAPE = (14, 12, 10)
AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])


@dataclass(frozen=True)
class Folders:
    """A folder of maps and the cases that they were made of."""

    maps: Path
    data: Path

    @property
    def bad(self) -> Path:
        """The map that is spoiled."""
        return self.maps / f"{BAD}.nii.gz"

    @property
    def image(self) -> Any:
        """The reference channel of its case."""
        return reference(self.data)


Spoil = Callable[[Folders], None]
KINDS: dict[str, tuple[str, str, Spoil]] = {}
"""Each kind's code, the file that is named, and the function that spoils the folders."""


def kind(code: str, named: str = f"{BAD}.nii.gz") -> Callable[[Spoil], Spoil]:
    def enter(spoil: Spoil) -> Spoil:
        KINDS[spoil.__name__] = (code, named, spoil)
        return spoil

    return enter


def write_image(file: Path, seed: int, affine=AFFINE, shape=SHAPE) -> None:
    """An image with a margin of 0, both forms set."""
    image_xyz = np.zeros(shape, np.int16)
    inner_xyz = image_xyz[2:-2, 2:-2, 1:-1]
    inner_xyz[...] = np.random.default_rng(seed).integers(1, 1000, inner_xyz.shape)
    image = nib.Nifti1Image(image_xyz, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units("mm")
    file.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, file)


def write_data(data: Path, names=NAMES) -> None:
    for seed, name in enumerate(names):
        for channel in ("t1c", "t1n", "t2f", "t2w"):
            write_image(data / name / f"{name}-{channel}.nii.gz", seed)


def reference(data: Path, name: str = BAD) -> Any:
    return nib.load(data / name / f"{name}-t1c.nii.gz")


def labels_like(image: Any, seed: int, values=(1, 2, 3)) -> np.ndarray:
    """A block of each label inside the image, elsewhere for each seed."""
    labels_xyz = np.zeros(image.shape, np.uint8)
    corner = 2 + seed % 3
    for index, value in enumerate(values):
        labels_xyz[corner + index, 3:6, 2 : 4 + seed] = value
    return labels_xyz


def write_map(file: Path, labels_xyz: np.ndarray, image: Any, **fields: Any) -> None:
    """Write voxels with the header of an image, then header fields as the kind wants them."""
    header = image.header.copy()
    header.set_data_dtype(labels_xyz.dtype)
    header.set_data_shape(labels_xyz.shape)
    header["vox_offset"], header["scl_slope"], header["scl_inter"] = 352, 1, 0
    for name, value in fields.items():
        header[name] = value
    content = header.binaryblock + bytes(4) + labels_xyz.tobytes(order="F")
    file.write_bytes(gzip.compress(content, 6, mtime=0) if file.name.endswith(".gz") else content)
    file.chmod(0o644)


def write_sound(maps: Path, data: Path, names=NAMES, values=(1, 2, 3)) -> None:
    maps.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        image = reference(data, name)
        write_map(maps / f"{name}.nii.gz", labels_like(image, seed, values), image)


def rewrite(at: Folders, change=lambda labels_xyz: labels_xyz, **fields: Any) -> None:
    """Write the bad case's map again, its voxels and header fields changed."""
    image = at.image
    write_map(at.bad, np.asarray(change(labels_like(image, 0))), image, **fields)


def patch(at: Folders, change: Callable[[bytearray], None]) -> None:
    """Change the unpacked bytes of the bad case's map."""
    content = bytearray(gzip.decompress(at.bad.read_bytes()))
    change(content)
    at.bad.write_bytes(gzip.compress(bytes(content)))


def codes(report: CheckReport) -> set[str]:
    """The codes of all that a check found."""
    return {str(finding.code) for finding in report.findings}
