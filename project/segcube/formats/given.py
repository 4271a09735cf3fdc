"""Cases as users of the Python API pass them: files, folders and arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from segcube.core import Case, FileName, UsageError, Volume, as_path
from segcube.formats.cases import discover_cases
from segcube.formats.nifti.memory import volume_of_arrays
from segcube.spec.challenges import Challenge


def case_of(given: object, challenge: Challenge) -> Case:
    """Return a case: of a file for each channel, the folder of one case, or a Case, whose files may be texts.

    A case of files is named after that of the reference channel. Raises UsageError for anything else and for
    a folder of no or several cases, CaseError for a bad case.
    """
    if isinstance(given, Case):
        _check_name(given.name)
        if given.reference not in challenge.channel_names:
            found = f"{given.name}: the reference channel {given.reference!r}"
            raise UsageError(found, expected="one of " + ", ".join(challenge.channel_names))
        return Case(given.name, _files(given.files, challenge), given.reference, challenge.components)
    if isinstance(given, Mapping):
        files = _files(given, challenge)
        name = files[challenge.reference].name if challenge.reference in files else "case"
        name = name.removesuffix(".gz").removesuffix(".nii").removesuffix(".png")
        return Case(name, files, challenge.reference, challenge.components)
    folder = as_path(given, "the case")
    hint = "pass a mapping such as {channel: file}" if folder.is_file() else ""
    if hint:
        raise UsageError("is a file", file=folder, expected="the folder of a case", hint=hint)
    found = discover_cases(folder, challenge)
    if found.refused:
        raise found.refused[0].error
    if len(found.cases) != 1:
        expected, hint = "the folder of one case", "use predict_folder for several"
        raise UsageError(f"holds {len(found.cases)} cases", file=folder, expected=expected, hint=hint)
    return found.cases[0]


def _files(given: object, challenge: Challenge) -> dict[str, Any]:
    channels = challenge.channel_names
    if not isinstance(given, Mapping):
        raise UsageError(f"files {given!r}", expected=f"a mapping from {', '.join(channels)} to files")
    if unknown := [name for name in given if name not in channels]:
        raise UsageError(f"channels {', '.join(map(str, unknown))}", expected=", ".join(channels))
    return {name: as_path(file, f"the file of {name}") for name, file in given.items()}


def volume_of(
    image_cxyz: object, affine: object, channels: object, name: str, challenge: Challenge
) -> Volume:
    """Return a volume that is in memory, with its channels in the challenge's order; the image is copied.

    image_cxyz: (C, X, Y, Z). affine: (4, 4), from voxel to millimetre (RAS+). channels: the name of each
    channel; None for the challenge's channels in its order. Raises UsageError for other shapes or channels,
    CaseError for intensities that cannot be used.
    """
    _check_name(name)
    if isinstance(image_cxyz, np.ma.MaskedArray):
        raise UsageError("a masked array", expected="an array, such as image_cxyz.filled(0)")
    image, expected = _array(image_cxyz, "the image"), challenge.channel_names
    given = expected if channels is None else _names(channels)
    if image.ndim != 4 or len(image) != len(given) or sorted(given) != sorted(expected):
        raise UsageError(
            f"an image of shape {image.shape} with channels {', '.join(given)}",
            expected=f"(C, X, Y, Z) with channels {', '.join(expected)}",
        )
    ordered = [image[given.index(channel)] for channel in expected]
    case = Case(name, {}, challenge.reference)
    return volume_of_arrays(case, expected, ordered, _array(affine, "the affine"), challenge)


def _names(channels: object) -> tuple[str, ...]:
    if isinstance(channels, str) or not isinstance(channels, Iterable):
        raise UsageError(f"channels={channels!r}", expected="a list of names, or None")
    return tuple(map(str, channels))


def _array(given: Any, what: str) -> np.ndarray:
    try:
        return np.asarray(given)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} is no array: {error}", expected="an array of numbers") from error


def _check_name(name: str) -> None:
    """Raise UsageError for a case name that is no file name: maps are named after it."""
    try:
        TypeAdapter(FileName).validate_python(name, strict=True)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"the case name {name!r}: {reason}", expected="a name without slashes") from None
