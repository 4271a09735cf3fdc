"""Options of an import: the target challenge, and the parsers of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segcube.core import UsageError
from segcube.spec.challenges import Challenge, load_challenge


@dataclass(frozen=True)
class Target:
    """The challenge that a submission is for."""

    challenge: Challenge
    file: Path | None = None
    """The user's own challenge file, which is copied into the submission; None for a built-in challenge."""

    @property
    def reference(self) -> str:
        """The entry in submission.yaml: a key, or the name of the file beside it."""
        return self.file.name if self.file else self.challenge.key


@dataclass(frozen=True)
class ImportOptions:
    """Options of every kind of import. What they leave out is read from the source; ambiguity is an error."""

    target: Target
    name: str
    """Name of the submission."""
    folds: tuple[str, ...] = ()
    """Numbers or `all`; empty: every fold in the source."""
    channels: tuple[str, ...] = ()
    """The challenge's channels, in the order of the source's."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """The source's value of each of the challenge's labels."""
    licence: str = "unknown"
    citation: str | None = None

    def submission_fields(self, citation: str | None = None) -> dict[str, Any]:
        """Fields of the submission from the options; citation: of the source, used without the option."""
        return {
            "name": self.name,
            "challenge": self.target.reference,
            "licence": self.licence,
            "citation": self.citation or citation,
        }


def read_target(key_or_file: str) -> Target:
    """Load the challenge of a key or of a YAML file. Raises UsageError as `load_challenge` does."""
    own = Path(key_or_file)
    return Target(load_challenge(key_or_file), own if own.suffix in (".yaml", ".yml") else None)


def parse_names(text: str) -> tuple[str, ...]:
    """Split at commas, without spaces and empty parts."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_numbers(text: str, option: str, counts: tuple[int, ...] = ()) -> tuple[float, ...]:
    """Parse numbers between commas; empty for an empty text.

    option: the name for errors. counts: the allowed counts, empty for any. Raises UsageError.
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
    """Parse `wall=1,RA=2`; empty for an empty text.

    Raises UsageError for a part that is not a name and a whole number, and for repeated names or values.
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
