"""PNG images as volumes of one slice: read as the bytes of a NIfTI file, label maps written back as PNG.

Columns become x and rows y, from left and top. A pixel counts as 1 mm.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from nibabel.nifti1 import Nifti1Header

from segcube.core import MAX_AXIS, CaseError, Code, UsageError, count_of, naming_missing_packages

ENDING = ".png"
DESCRIPTION = "Description"
"""The text of a PNG that holds what a NIfTI header has as its description."""
TYPES = {"uint8": np.uint8, "uint16": np.uint16, "int32": np.uint16}
"""Of voxels, by the type that an image is decoded to: PNG has at most 16 bits."""

SIGNATURE, HEAD_BYTES = b"\x89PNG\r\n\x1a\n", 26
GREY, COLOURS = 0, (2, 6)
"""Types of colour in the header: grey, and red, green and blue without and with alpha."""
BYTE, WIDE = 8, 16
"""Bits of a component."""
PngPart: TypeAlias = int | Literal["labels", "header"] | None
"""What a PNG is read for: the component of a colour image, such as 0 for red; a label map; its size alone;
None for an image of grey values."""


def is_png(file: Path) -> bool:
    """Return whether a file is an image in PNG, by its name."""
    return file.name.endswith(ENDING)


def nifti_of_png(file: Path, content: BytesIO, part: PngPart) -> bytes:
    """Decode a PNG to the bytes of a NIfTI file of one slice.

    content: of the file. In a label map the values of a palette are its indices, in an image its colours.
    Raises CaseError CORRUPT for an image that cannot be decoded, NDIM for another number of components or of
    images, BAD_DTYPE for colours of 16 bits, TOO_LARGE.
    """
    pixels_yxc, description = _decode(file, content, part)
    rows, columns, count = pixels_yxc.shape
    if max(rows, columns) > MAX_AXIS:
        expected = f"at most {MAX_AXIS} pixels along an axis"
        raise CaseError(Code.TOO_LARGE, f"{columns} x {rows} pixels", file=file, expected=expected)
    if part in (None, "labels") and count > 1:
        hint = "set `component` of the channels in the challenge file"
        if part == "labels":
            hint = "save the label values as grey, or as indices of a palette"
        raise CaseError(Code.NDIM, f"has {count} components", file=file, expected="one", hint=hint)
    if isinstance(part, int) and part >= count:
        expected = f"component {part}, counted from 0"
        raise CaseError(Code.NDIM, f"has {count_of(count, 'component')}", file=file, expected=expected)
    plane_xy = np.ascontiguousarray(pixels_yxc[..., part if isinstance(part, int) else 0])
    header = _header((columns, rows, 1), plane_xy.dtype, description)
    return header.binaryblock + b"\0\0\0\0" + plane_xy.tobytes()


def _decode(file: Path, content: BytesIO, part: PngPart) -> tuple[np.ndarray, str]:
    """Pixels (rows, columns, components) as unsigned integers, and the description."""
    depth, colour = _depth_and_colour(content)
    if depth == WIDE and colour in COLOURS:
        # Pillow reads 8 of them
        found = "has colours of 16 bits a component"
        raise CaseError(
            Code.BAD_DTYPE, found, file=file, expected="8", hint="save it with 8 bits, or as grey"
        )
    with naming_missing_packages():
        from PIL import Image, UnidentifiedImageError
    try:
        with Image.open(content, formats=["PNG"]) as image:
            image.load()
            description = str(getattr(image, "text", {}).get(DESCRIPTION, ""))
            frames, has_palette = getattr(image, "n_frames", 1), image.mode == "P"
            is_colour = has_palette and isinstance(part, int)
            pixels = np.asarray(image.convert("RGB") if is_colour else image)
    except Image.DecompressionBombError as error:
        raise CaseError(Code.TOO_LARGE, str(error), file=file, expected="a smaller image") from error
    except UnidentifiedImageError as error:
        raise CaseError(Code.CORRUPT, "is no PNG image", file=file, hint="export it as PNG") from error
    except (OSError, SyntaxError, ValueError) as error:
        found = f"cannot be decoded: {error}"
        raise CaseError(
            Code.CORRUPT, found, file=file, expected="a PNG image", hint="copy it again"
        ) from error
    if frames > 1:
        raise CaseError(Code.NDIM, f"is an animation of {frames} images", file=file, expected="one image")
    if has_palette and part is None:
        found, hint = "has a palette of colours", "save it as grey, or set `component` of the channels"
        raise CaseError(Code.NDIM, found, file=file, expected="an image of grey values", hint=hint)
    if colour == GREY and 1 < depth < BYTE:
        # Pillow spreads them over 0 to 255
        pixels = pixels // (255 // (2**depth - 1))
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    kind = TYPES.get(pixels.dtype.name)
    if kind is None:
        found = f"pixels of {pixels.dtype}"
        raise CaseError(Code.BAD_DTYPE, found, file=file, expected="integers of 8 or 16 bits")
    pixels = pixels.astype(kind, copy=False)
    return (pixels[..., None] if pixels.ndim == 2 else pixels), description


def _depth_and_colour(content: BytesIO) -> tuple[int, int]:
    """Bits of a component and the type of colour in the header of a PNG; zeros for a file of another kind."""
    head = content.getvalue()[:HEAD_BYTES]
    return (head[24], head[25]) if len(head) == HEAD_BYTES and head.startswith(SIGNATURE) else (0, 0)


def _header(shape: tuple[int, int, int], dtype: np.dtype, description: str) -> Nifti1Header:
    header = Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header["vox_offset"] = 352
    header["pixdim"][:4] = 1
    header["xyzt_units"] = 2
    header["sform_code"] = 1
    for row, values in zip(("srow_x", "srow_y", "srow_z"), np.diag([-1.0, -1.0, 1.0]), strict=True):
        header[row] = [*values, 0.0]
    header["descrip"] = description.encode("ascii", "replace")[:79]
    return header


def png_of_labels(labels_xyz: np.ndarray, description: str) -> bytes:
    """Encode a label map of one slice, of unsigned integers of 8 or 16 bits, as a PNG.

    Equal maps give equal bytes. Raises UsageError for several slices.
    """
    with naming_missing_packages():
        from PIL import Image
        from PIL.PngImagePlugin import PngInfo
    if labels_xyz.shape[2] != 1:
        found = f"a label map of {labels_xyz.shape[2]} slices as PNG"
        raise UsageError(found, expected="one slice", hint="write volumes as .nii.gz")
    texts = PngInfo()
    texts.add_text(DESCRIPTION, description)
    content = BytesIO()
    Image.fromarray(np.ascontiguousarray(labels_xyz[:, :, 0].T)).save(content, "PNG", pnginfo=texts)
    return content.getvalue()
