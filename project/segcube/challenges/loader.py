"""Read challenge files, shipped ones by key and a user's own by path."""

from __future__ import annotations

from pathlib import Path

from segcube.challenges.schema import Challenge
from segcube.errors import UsageError
from segcube.validation import read_model

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
            mend="or a YAML file of your own",
        )
    return read_model(FOLDER / f"{key_or_file}.yaml", Challenge, UsageError)
