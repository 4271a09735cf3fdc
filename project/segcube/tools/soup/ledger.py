"""What a greedy soup tried and kept, a JSON line each, so that it can go on where it was ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from segcube.core import UsageError, parse_json


@dataclass(frozen=True)
class Terms:
    """What scores hang on: with other terms a ledger is another one's."""

    metric: str
    submission: Mapping[str, Any]
    """Its content, key by key."""
    challenge: Mapping[str, Any]
    candidates: Mapping[str, str]
    """Files and their sha256."""
    cases: Mapping[str, str]
    """Validation cases, and a digest of their images and labels."""
    settings: Mapping[str, Any]
    """Of the run, resolved for this machine."""
    versions: Mapping[str, str]
    """Of segcube and the libraries that it computes with."""


@dataclass(frozen=True)
class Trial:
    """A soup, its score, and whether it was kept."""

    soup: tuple[str, ...]
    score: float
    kept: bool


@dataclass
class Ledger:
    """The file of terms and trials; a trial is written as soon as it is known."""

    file: Path
    terms: Terms
    trials: dict[tuple[str, ...], Trial] = field(default_factory=dict)

    def score_of(self, soup: Sequence[str]) -> float | None:
        """The score that a soup of these files had, in whatever order; None if it was not tried."""
        trial = self.trials.get(tuple(sorted(soup)))
        return None if trial is None else trial.score

    def note(self, trial: Trial) -> None:
        """Write a trial down, unless the ledger ends on it."""
        key = tuple(sorted(trial.soup))
        if self.trials.get(key) != trial:
            self.trials[key] = trial
            with self.file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(trial)) + "\n")


def open_ledger(file: Path, terms: Terms) -> Ledger:
    """Open a ledger, or begin one.

    A last line that a killed run left half-written is dropped. Raises UsageError for a ledger of other terms,
    naming what changed, and for a file that is none.
    """
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(terms)) + "\n", encoding="utf-8")
        return Ledger(file, terms)
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        first, *lines = [parse_json(line.decode()) for line in whole.splitlines()]
        trials = [Trial(tuple(line["soup"]), float(line["score"]), bool(line["kept"])) for line in lines]
        changed = _changes(first, json.loads(json.dumps(asdict(terms))))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"is no ledger of a soup: {error}", file=file, hint="name another --ledger"
        ) from error
    if changed:
        raise UsageError(
            f"was written for other {', '.join(changed)}",
            file=file,
            expected="a ledger of the same submission, challenge, files, cases, settings and versions",
            hint="name another --ledger, or delete it",
        )
    if whole != content:
        file.write_bytes(whole)
    return Ledger(file, terms, {tuple(sorted(trial.soup)): trial for trial in trials})


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs, down to the files, cases and keys by name."""
    found = [] if before["metric"] == after["metric"] else [f"metric ({before['metric']})"]
    for key, new in after.items():
        old = before.get(key, {})
        if key == "metric" or old == new:
            continue
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        found.append(f"{key} ({', '.join(names)})")
    return found
