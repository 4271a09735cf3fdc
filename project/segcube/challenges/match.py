"""Find the challenge that a folder's names belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from segcube.challenges.loader import challenge_keys, load_challenge
from segcube.challenges.names import nifti_stem, parse_name
from segcube.challenges.schema import Challenge
from segcube.errors import UsageError

if TYPE_CHECKING:
    # numpy comes with it, a sixth of what `segcube info` takes
    from segcube.types import Shape


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
            "no name fits a challenge", expected="cases of " + ", ".join(challenge_keys()), mend=_MEND
        )
    if len(fitting) > 1:
        seen = set(shapes)
        possible = [challenge for challenge in fitting if _can_have(challenge, seen)]
        fitting = possible if any(seen <= _usual(challenge) for challenge in possible) else fitting
    if len(fitting) > 1:
        keys = ", ".join(challenge.key for challenge in fitting)
        raise UsageError("the names fit several challenges", expected=f"one of {keys}", mend=_MEND)
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
