"""What the command line asks of an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from segcube.challenges import Challenge, load_challenge
from segcube.errors import UsageError


@dataclass(frozen=True)
class Target:
    """The challenge that a submission is for."""

    challenge: Challenge
    file: Path | None = None
    """A challenge file of the user's own, which goes into the submission's folder."""

    @property
    def reference(self) -> str:
        """How submission.yaml names it: a key, or the file beside it."""
        return self.file.name if self.file else self.challenge.key


@dataclass(frozen=True)
class Wishes:
    """What the options say; what they leave open is found in the source, or refused."""

    target: Target
    name: str
    """Of the submission."""
    folds: tuple[str, ...] = ()
    """Numbers or `all`; none takes every fold that is there."""
    channels: tuple[str, ...] = ()
    """The challenge's channels, in the order of the source's."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """The source's value of each of the challenge's labels."""
    licence: str = "unknown"
    citation: str | None = None


def read_target(key_or_file: str) -> Target:
    """The challenge of a key or of a YAML file. Raises UsageError as `load_challenge` does."""
    own = Path(key_or_file)
    return Target(load_challenge(key_or_file), own if own.suffix in (".yaml", ".yml") else None)


def parse_names(text: str) -> tuple[str, ...]:
    """Names between commas; an empty text gives none."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_numbers(text: str, option: str, counts: tuple[int, ...] = ()) -> tuple[float, ...]:
    """Numbers between commas; an empty text gives none.

    counts: how many there may be. Raises UsageError that names the option.
    """
    parts = parse_names(text)
    try:
        found = tuple(float(part) for part in parts)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}", expected="numbers between commas") from error
    if counts and len(found) not in counts:
        raise UsageError(f"{option} {text!r}", expected=f"{max(counts)} numbers between commas")
    return found


def parse_labels(text: str) -> dict[str, int]:
    """`wall=1,RA=2` as names and values; an empty text gives none.

    Raises UsageError for a part that is no name and whole number, and for a name or value that repeats.
    """
    found: dict[str, int] = {}
    for part in parse_names(text):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name or not value.isdecimal():
            raise UsageError(f"--labels {part!r}", expected="names with values, such as wall=1,RA=2")
        if name in found or int(value) in found.values():
            raise UsageError(f"--labels {text!r} repeats {part!r}", expected="each name and value once")
        found[name] = int(value)
    return found
