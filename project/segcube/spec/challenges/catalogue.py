"""Challenges by key, the names of their files, and the challenge that a folder's names fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segcube.core import UsageError, read_model
from segcube.spec.challenges.schema import Challenge

if TYPE_CHECKING:
    # numpy comes with it, a sixth of what `segcube info` takes
    from segcube.core import Shape


FOLDER = Path(__file__).parent / "data"


def challenge_keys() -> tuple[str, ...]:
    """Keys of the challenges that are shipped, by name."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


def load_challenge(key_or_file: str | Path) -> Challenge:
    """Read a shipped challenge by its key, or a YAML file of one's own.

    Raises UsageError for an unknown key, naming the valid ones, and for a file that breaks the schema, naming
    the key, the value and what is valid.
    """
    own = Path(key_or_file)
    if own.suffix in (".yaml", ".yml"):
        return read_model(own, Challenge, UsageError)
    if key_or_file not in challenge_keys():
        raise UsageError(
            f"no challenge {str(key_or_file)!r}",
            expected="one of " + ", ".join(challenge_keys()),
            hint="or a YAML file of your own",
        )
    return read_model(FOLDER / f"{key_or_file}.yaml", Challenge, UsageError)


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


def match_challenge(names: Iterable[str], shapes: Iterable[Shape] = ()) -> Challenge:
    """The one challenge that the names of files, folders or cases fit best.

    Names that hosts invent count only where no proper name fits. Among equals, those that cannot have one of
    the shapes drop out where another has grids of all these shapes; shapes that are no challenge's, as of
    cropped scans, decide nothing. Raises UsageError when none fits, or several still do: it lists their keys.
    """
    challenges = [load_challenge(key) for key in challenge_keys()]
    found = tuple(names)
    fitting = _best(challenges, found, aliases=False) or _best(challenges, found, aliases=True)
    if not fitting:
        raise UsageError(
            "no name fits a challenge", expected="cases of " + ", ".join(challenge_keys()), hint=_MEND
        )
    if len(fitting) > 1:
        seen = set(shapes)
        possible = [challenge for challenge in fitting if _can_have(challenge, seen)]
        fitting = possible if any(seen <= _usual(challenge) for challenge in possible) else fitting
    if len(fitting) > 1:
        keys = ", ".join(challenge.key for challenge in fitting)
        raise UsageError("the names fit several challenges", expected=f"one of {keys}", hint=_MEND)
    return fitting[0]


_MEND = "name it with --challenge"


def _best(challenges: Sequence[Challenge], names: Sequence[str], aliases: bool) -> list[Challenge]:
    counts = [sum(_fits(name, challenge, aliases) for name in names) for challenge in challenges]
    most = max(counts)
    return [challenge for challenge, count in zip(challenges, counts, strict=True) if 0 < count == most]


def _fits(name: str, challenge: Challenge, aliases: bool) -> bool:
    if parse_name(name, challenge, aliases):
        return True
    stem = nifti_stem(name)
    if stem is None:
        return challenge.is_case(name, aliases)
    before, after = challenge.output.removesuffix(".nii.gz").split("{case}")
    case = stem.removeprefix(before).removesuffix(after)
    return stem == f"{before}{case}{after}" and challenge.is_case(case, aliases)


def _can_have(challenge: Challenge, shapes: set[Shape]) -> bool:
    return not challenge.geometry.fixed or shapes <= _usual(challenge)


def _usual(challenge: Challenge) -> set[Shape]:
    return {grid.shape for grid in challenge.geometry.grids}
