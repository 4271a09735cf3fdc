"""Read the score files of `segcube evaluate --scores`, and check that they are comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from segcube.core import UsageError, count_of, read_json

LISTED = 5


class ScoreFile(BaseModel):
    """The part of a score file that a ranking reads; "inf" and "nan" become numbers."""

    model_config = ConfigDict(frozen=True)

    profile: str
    challenge: str
    versions: dict[str, Any] = {}
    cases: dict[str, dict[str, dict[str, float | None]]]

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions of the first case, in order."""
        return tuple(next(iter(self.cases.values())))


def read_scores(files: Sequence[Path]) -> dict[str, ScoreFile]:
    """Read two or more score files, named by their stems, or by their paths where stems repeat.

    Raises UsageError for an unreadable file, a file without cases, less than two files, a repeated file, and
    files that are not comparable: the message names the difference.
    """
    if len(files) < 2:
        raise UsageError(count_of(len(files), "score file"), expected="two or more to rank")
    if len({file.resolve() for file in files}) < len(files):
        raise UsageError("a score file is named twice", expected="one file a submission")
    stems = [file.stem for file in files]
    names = stems if len(set(stems)) == len(stems) else [str(file.with_suffix("")) for file in files]
    scores = {name: _read(file) for name, file in zip(names, files, strict=True)}
    for name, file in zip(names[1:], files[1:], strict=True):
        _check_comparable(scores[names[0]], scores[name], files[0], file)
    return scores


def differing_versions(scores: Mapping[str, ScoreFile]) -> tuple[str, ...]:
    """Libraries whose versions differ between the files, by name."""
    names = sorted({name for score in scores.values() for name in score.versions})
    return tuple(name for name in names if len({str(s.versions.get(name)) for s in scores.values()}) > 1)


def _read(file: Path) -> ScoreFile:
    expected = "a file of `segcube evaluate --scores`"
    content = read_json(file, UsageError, expected)
    try:
        scores = ScoreFile.model_validate(content)
    except ValidationError as error:
        raise UsageError("not a file of scores", file=file, expected=expected) from error
    if not scores.cases:
        raise UsageError("has no cases", file=file, expected=expected)
    for case, regions in scores.cases.items():
        if set(regions) != set(scores.regions):
            found = f"{case} has regions {', '.join(regions)}"
            raise UsageError(found, file=file, expected=", ".join(scores.regions))
    return scores


def _check_comparable(first: ScoreFile, other: ScoreFile, first_file: Path, other_file: Path) -> None:
    """Raise UsageError unless both hold the same cases and regions, scored by the same rules."""
    for key in ("profile", "challenge"):
        one, two = getattr(first, key), getattr(other, key)
        if one != two:
            raise UsageError(f"{key} {two}", file=other_file, expected=f"{one}, as in {first_file}")
    named = {"cases": (first.cases, other.cases)}
    named |= {f"regions of {case}": (first.cases[case], other.cases.get(case, {})) for case in first.cases}
    for what, (one, two) in named.items():
        sides = (("lacks", sorted(one.keys() - two.keys())), ("adds", sorted(two.keys() - one.keys())))
        if parts := [f"{word} {_some(names)}" for word, names in sides if names]:
            found, expected = f"{what}: {', '.join(parts)}", f"the same as in {first_file}"
            raise UsageError(found, file=other_file, expected=expected)


def _some(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
