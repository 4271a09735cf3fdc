"""What a file's name says: its case and its channel."""

from __future__ import annotations

from dataclasses import dataclass

from segcube.challenges.schema import Challenge

ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class ImageName:
    """A file name, read."""

    case: str
    channel: str | None
    """None for expert labels."""


def nifti_stem(name: str) -> str | None:
    """A file name without .nii.gz or .nii; None when it has neither."""
    for ending in ENDINGS:
        if name.endswith(ending):
            return name.removesuffix(ending)
    return None


def parse_name(name: str, challenge: Challenge, aliases: bool = True) -> ImageName | None:
    """The case and channel that a file name gives; None when it names neither image nor expert labels."""
    stem = nifti_stem(name)
    if stem is None:
        return None
    named = [(suffix, channel.name) for channel in challenge.channels for suffix in channel.suffixes]
    for suffix, channel in [*named, *((suffix, None) for suffix in challenge.label_suffixes)]:
        case = stem.removesuffix(suffix)
        if case != stem and challenge.is_case(case, aliases):
            return ImageName(case, channel)
    return None
