"""Valid cases and label maps, and a registry of faults."""

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
    """A folder of maps and the folder of their cases."""

    maps: Path
    data: Path

    @property
    def bad(self) -> Path:
        """The map that gets the fault."""
        return self.maps / f"{BAD}.nii.gz"

    @property
    def image(self) -> Any:
        """The reference channel of its case."""
        return reference(self.data)


ApplyFault = Callable[[Folders], None]
FAULTS: dict[str, tuple[str, str, ApplyFault]] = {}
"""For each fault: its code, the file of the finding, and the function that applies it."""


def fault(code: str, named: str = f"{BAD}.nii.gz") -> Callable[[ApplyFault], ApplyFault]:
    def register(apply_fault: ApplyFault) -> ApplyFault:
        FAULTS[apply_fault.__name__] = (code, named, apply_fault)
        return apply_fault

    return register


def write_image(file: Path, seed: int, affine=AFFINE, shape=SHAPE) -> None:
    """Write an image with a margin of zeros, with sform and qform."""
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
    """Return a block of each label inside the image, at a place that depends on the seed."""
    labels_xyz = np.zeros(image.shape, np.uint8)
    corner = 2 + seed % 3
    for index, value in enumerate(values):
        labels_xyz[corner + index, 3:6, 2 : 4 + seed] = value
    return labels_xyz


def write_map(file: Path, labels_xyz: np.ndarray, image: Any, **fields: Any) -> None:
    """Write voxels with the header of an image and the given header fields."""
    header = image.header.copy()
    header.set_data_dtype(labels_xyz.dtype)
    header.set_data_shape(labels_xyz.shape)
    header["vox_offset"], header["scl_slope"], header["scl_inter"] = 352, 1, 0
    for name, value in fields.items():
        header[name] = value
    content = header.binaryblock + bytes(4) + labels_xyz.tobytes(order="F")
    file.write_bytes(gzip.compress(content, 6, mtime=0) if file.name.endswith(".gz") else content)
    file.chmod(0o644)


def write_valid_maps(maps: Path, data: Path, names=NAMES, values=(1, 2, 3)) -> None:
    maps.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        image = reference(data, name)
        write_map(maps / f"{name}.nii.gz", labels_like(image, seed, values), image)


def rewrite(at: Folders, change=lambda labels_xyz: labels_xyz, **fields: Any) -> None:
    """Write the map of the bad case again with changed voxels or header fields."""
    image = at.image
    write_map(at.bad, np.asarray(change(labels_like(image, 0))), image, **fields)


def patch(at: Folders, change: Callable[[bytearray], None]) -> None:
    """Change the uncompressed bytes of the bad case's map."""
    content = bytearray(gzip.decompress(at.bad.read_bytes()))
    change(content)
    at.bad.write_bytes(gzip.compress(bytes(content)))


def codes(report: CheckReport) -> set[str]:
    """Return the codes of all findings."""
    return {str(finding.code) for finding in report.findings}
