"""A greedy soup: the best member first, then each that improves the mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from segcube.backends import choose_backend
from segcube.core import resolve_settings
from segcube.evaluation import Direction
from segcube.inference.folder import library_versions
from segcube.spec.submission import Member, check_empty_folder
from segcube.tools.soup.averaging import expect_one_network, write_averaged, write_soup
from segcube.tools.soup.candidates import Candidates
from segcube.tools.soup.journal import Journal, Trial, open_journal
from segcube.tools.soup.validation import Validation


def greedy_soup(candidates: Candidates, validation: Validation, out: Path, journal_file: Path) -> Trial:
    """Sort the members by their own score, then keep each whose addition improves the score of the mean.

    Writes the mean of the kept members as a submission to `out`, and every trial to the journal, from which
    an interrupted run resumes. Returns the trial of that mean. Members of equal score keep the submission's
    order; a member that changes nothing is left out (Wortsman et al. 2022, arXiv 2203.05482, with a strict
    improvement). Raises UsageError and EnvironmentFault.
    """
    check_empty_folder(out)
    # Before the members are scored, which may take hours
    expect_one_network(candidates.files)
    journal = open_journal(journal_file, _conditions(candidates, validation))
    direction = validation.direction
    alone = [_score((member,), None, candidates, validation, journal) for member in candidates.members]
    # Stable: equals keep the submission's order
    ordered = sorted(zip(candidates.members, alone, strict=True), key=lambda pair: _loss(pair[1], direction))
    first, score = ordered[0]
    kept = (first,)
    journal.add(Trial((first.file,), score, kept=True))
    for member, _ in ordered[1:]:
        found = _score((*kept, member), score, candidates, validation, journal)
        if _loss(found, direction) < _loss(score, direction):
            kept, score = (*kept, member), found
    count = f"{len(kept)} of {len(candidates.members)} members"
    write_soup(candidates, kept, f"A greedy soup of {count}, {validation.metric} {score:.4f}.", out)
    return Trial(tuple(member.file for member in kept), score, kept=True)


def _conditions(candidates: Candidates, validation: Validation) -> dict[str, Any]:
    """All that the scores depend on."""
    settings = resolve_settings(dict(validation.settings))
    # An automatic device or backend gives other scores on another machine
    choice = choose_backend(settings)
    here = {"device": choice.device, "backend": choice.backend, "precision": choice.precision}
    return {
        "metric": f"{validation.profile} {validation.metric}",
        "submission": candidates.loaded.submission.model_dump(mode="json", by_alias=True),
        "challenge": validation.challenge.model_dump(mode="json"),
        "candidates": {member.file: member.sha256 for member in candidates.members},
        "cases": validation.digests(),
        "settings": {"stage": candidates.stage, **settings.model_dump(mode="json"), **here},
        "versions": library_versions(),
    }


def _score(
    members: Sequence[Member],
    best: float | None,
    candidates: Candidates,
    validation: Validation,
    journal: Journal,
) -> float:
    """Score the mean of some members, or take its score from the journal; `best` is the score to beat."""
    files = tuple(member.file for member in members)
    score = journal.score_of(files)
    if score is None:
        with TemporaryDirectory(prefix="segcube-soup-") as folder:
            write_averaged(candidates, members, Path(folder))
            score = validation.score(Path(folder))
        better = best is not None and _loss(score, validation.direction) < _loss(best, validation.direction)
        journal.add(Trial(files, score, better))
    validation.log(f"{' + '.join(files)}: {score:.4f}")
    return score


def _loss(score: float, direction: Direction) -> float:
    """The score with its sign set so that less is better; NaN is the worst."""
    if math.isnan(score):
        return math.inf
    return -score if direction.higher_is_better else score
