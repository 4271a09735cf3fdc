"""The journal of a greedy soup: its trials as JSON lines, from which an interrupted search resumes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from segcube.core import UsageError, parse_json


@dataclass(frozen=True)
class Trial:
    """The files of a soup, its score, and whether it was kept."""

    soup: tuple[str, ...]
    score: float
    kept: bool


@dataclass
class Journal:
    """A file of conditions and trials; each trial is written at once."""

    file: Path
    trials: dict[tuple[str, ...], Trial] = field(default_factory=dict)

    def score_of(self, soup: Sequence[str]) -> float | None:
        """The score of a soup of these files in any order; None if it was not tried."""
        trial = self.trials.get(tuple(sorted(soup)))
        return None if trial is None else trial.score

    def add(self, trial: Trial) -> None:
        """Append a trial, unless it is the latest one of its soup."""
        key = tuple(sorted(trial.soup))
        if self.trials.get(key) != trial:
            self.trials[key] = trial
            with self.file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(trial)) + "\n")


def open_journal(file: Path, conditions: Mapping[str, Any]) -> Journal:
    """Open a journal, or begin one.

    conditions: all that the scores depend on, as JSON types by name. An incomplete last line, left by a
    killed run, is dropped. Raises UsageError for a journal of other conditions, naming the changes, and for
    any other file.
    """
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(conditions) + "\n", encoding="utf-8")
        return Journal(file)
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        first, *lines = [parse_json(line.decode()) for line in whole.splitlines()]
        trials = [Trial(tuple(line["soup"]), float(line["score"]), bool(line["kept"])) for line in lines]
        changed = _changes(first, json.loads(json.dumps(conditions)))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        found = f"is not the journal of a soup: {error}"
        raise UsageError(found, file=file, hint="name another --ledger") from error
    if changed:
        raise UsageError(
            f"was written for other {', '.join(changed)}",
            file=file,
            expected="a journal of the same submission, challenge, files, cases, settings and versions",
            hint="name another --ledger, or delete it",
        )
    if whole != content:
        file.write_bytes(whole)
    return Journal(file, {tuple(sorted(trial.soup)): trial for trial in trials})


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The conditions that differ, with the names of files, cases and keys."""
    found = [] if before["metric"] == after["metric"] else [f"metric ({before['metric']})"]
    for key, new in after.items():
        old = before.get(key, {})
        if key != "metric" and old != new:
            names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
            found.append(f"{key} ({', '.join(names)})")
    return found
