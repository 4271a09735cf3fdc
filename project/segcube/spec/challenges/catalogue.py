"""Find challenges by key or by the file names of a data folder, and parse these names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segcube.core import UsageError, read_model
from segcube.spec.challenges.schema import ENDINGS, Challenge, stem_of

if TYPE_CHECKING:
    # Imports numpy, which takes a sixth of the time of `segcube info`
    from segcube.core import Shape


FOLDER = Path(__file__).parent / "data"


def challenge_keys() -> tuple[str, ...]:
    """Return the keys of the shipped challenges, sorted."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


def load_challenge(key_or_file: str | Path) -> Challenge:
    """Read a shipped challenge by its key, or a challenge file (.yaml, .yml).

    Raises UsageError for an unknown challenge, listing the known ones, and for an invalid file, naming the
    key, its value and the valid ones.
    """
    own = Path(key_or_file)
    if own.suffix in (".yaml", ".yml"):
        return read_model(own, Challenge, UsageError)
    if key_or_file not in challenge_keys():
        found = f"unknown challenge {str(key_or_file)!r}"
        expected = "one of " + ", ".join(challenge_keys())
        raise UsageError(found, expected=expected, hint="or name a challenge file that ends in .yaml")
    return read_model(FOLDER / f"{key_or_file}.yaml", Challenge, UsageError)


@dataclass(frozen=True)
class ImageName:
    """A parsed file name."""

    case: str
    channels: tuple[str, ...]
    """None of them for reference labels; several for a PNG of several components."""

    @property
    def channel(self) -> str | None:
        """The first channel; None for reference labels."""
        return self.channels[0] if self.channels else None


def nifti_stem(name: str) -> str | None:
    """Return a file name without .nii.gz or .nii; None for other endings."""
    return stem_of(name, ENDINGS["nifti"])


def parse_name(name: str, challenge: Challenge, aliases: bool = True) -> ImageName | None:
    """Return case and channel of a file name; None for names that are neither images nor reference labels.

    aliases: also accept the names that hosts give to cases.
    """
    stem = challenge.stem(name)
    if stem is None:
        return None
    named: dict[str, tuple[str, ...]] = {}
    for channel in challenge.channels:
        named |= {suffix: (*named.get(suffix, ()), channel.name) for suffix in channel.suffixes}
    for suffix, channels in [*named.items(), *((suffix, ()) for suffix in challenge.label_suffixes)]:
        case = stem.removesuffix(suffix)
        if case != stem and challenge.is_case(case, aliases):
            return ImageName(case, channels)
    return None


def match_challenge(names: Iterable[str], shapes: Iterable[Shape] = ()) -> Challenge:
    """Return the challenge that matches most of the given names of files, folders or cases.

    Aliases (names given by hosts) count only where no regular name matches. Of challenges that match equally,
    those whose fixed grids have none of `shapes` are excluded, if one of the rest has all of them; unknown
    shapes, as of cropped scans, exclude nothing. Raises UsageError, listing the keys, where none or several
    match.
    """
    challenges = [load_challenge(key) for key in challenge_keys()]
    found = tuple(names)
    fitting = _best(challenges, found, aliases=False) or _best(challenges, found, aliases=True)
    if not fitting:
        message = "no name matches a challenge"
        raise UsageError(message, expected="cases of " + ", ".join(challenge_keys()), hint=_HINT)
    if len(fitting) > 1:
        seen = set(shapes)
        possible = [one for one in fitting if not one.geometry.fixed or seen <= _usual(one)]
        fitting = possible if any(seen <= _usual(challenge) for challenge in possible) else fitting
    if len(fitting) > 1:
        keys = ", ".join(challenge.key for challenge in fitting)
        raise UsageError("the names match several challenges", expected=f"one of {keys}", hint=_HINT)
    return fitting[0]


_HINT = "name it with --challenge"


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
    case = challenge.case_of_output(stem)
    return case is not None and challenge.is_case(case, aliases)


def _usual(challenge: Challenge) -> set[Shape]:
    return {grid.shape for grid in challenge.geometry.grids}
