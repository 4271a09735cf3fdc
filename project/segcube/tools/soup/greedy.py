"""A greedy soup: the best member first, then each that helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from segcube.backends import choose_backend
from segcube.core import resolve_settings
from segcube.inference.folder import library_versions
from segcube.spec.submission import Member, expect_room, whole_folder
from segcube.tools.soup.ledger import Ledger, Terms, Trial, open_ledger
from segcube.tools.soup.pot import Pot, check_soup, expect_one_network, write_soup_card
from segcube.tools.soup.validation import Validation


def uniform_soup(pot: Pot, out: Path) -> None:
    """Write the submission with the mean of all its members to `out`, whole or not at all.

    Raises UsageError for members of different networks or an `out` that holds something, EnvironmentFault
    for weights that cannot be read or written.
    """
    with whole_folder(out) as folder:
        pot.cook(pot.members, folder)
        told = f"A uniform soup of {len(pot.members)} members."
        write_soup_card(pot, pot.members, told, folder, out.absolute().name)
        check_soup(folder)


@dataclass(frozen=True)
class GreedyResult:
    """The members that were kept, and the score of their mean."""

    kept: tuple[str, ...]
    score: float


def greedy_soup(pot: Pot, validation: Validation, out: Path, ledger_file: Path) -> GreedyResult:
    """Sort the members by their own score, then keep each whose addition improves that of the mean.

    Writes the kept members' mean as a submission to `out`, and every trial to the ledger, from which another
    run goes on. Equal scores keep the submission's order; a member that changes nothing is left out
    (Wortsman et al. 2022, arXiv 2203.05482, with a strict improvement). Raises UsageError and
    EnvironmentFault.
    """
    expect_room(out)
    # Before each member is scored, which may take hours
    expect_one_network([pot.loaded.folder / member.file for member in pot.members])
    search = _Search(pot, validation, open_ledger(ledger_file, _terms(pot, validation)))
    kept, score = search.run()
    told = f"A greedy soup of {len(kept)} of {len(pot.members)} members, {validation.metric} {score:.4f}."
    with whole_folder(out) as folder:
        pot.cook(kept, folder)
        write_soup_card(pot, kept, told, folder, out.absolute().name)
        check_soup(folder)
    return GreedyResult(tuple(member.file for member in kept), score)


def _terms(pot: Pot, validation: Validation) -> Terms:
    settings = resolve_settings(dict(validation.settings))
    # A device or backend that is left open gives other scores on another machine
    choice = choose_backend(settings)
    here = {"device": choice.device, "backend": choice.backend, "precision": choice.precision}
    return Terms(
        metric=f"{validation.profile} {validation.metric}",
        submission=pot.loaded.submission.model_dump(mode="json", by_alias=True),
        challenge=validation.challenge.model_dump(mode="json"),
        candidates={member.file: member.sha256 for member in pot.members},
        cases=validation.digests(),
        settings={"stage": pot.stage, **settings.model_dump(mode="json"), **here},
        versions=library_versions(),
    )


@dataclass(frozen=True)
class _Search:
    pot: Pot
    validation: Validation
    ledger: Ledger

    def run(self) -> tuple[tuple[Member, ...], float]:
        alone = {member.file: self._try((member,), None) for member in self.pot.members}
        ordered = sorted(self.pot.members, key=lambda member: self._loss(alone[member.file]))
        kept, best = (ordered[0],), alone[ordered[0].file]
        self.ledger.note(Trial((ordered[0].file,), best, kept=True))
        for member in ordered[1:]:
            score = self._try((*kept, member), best)
            if self._loss(score) < self._loss(best):
                kept, best = (*kept, member), score
        return kept, best

    def _try(self, members: Sequence[Member], best: float | None) -> float:
        """A soup's score, from the ledger if it is there; `best` is what it has to beat."""
        files = tuple(member.file for member in members)
        score = self.ledger.score_of(files)
        if score is None:
            with TemporaryDirectory(prefix="segcube-soup-") as folder:
                self.pot.cook(members, Path(folder))
                score = self.validation.score(Path(folder))
            kept = best is not None and self._loss(score) < self._loss(best)
            self.ledger.note(Trial(files, score, kept))
        self.validation.log(f"{' + '.join(files)}: {score:.4f}")
        return score

    def _loss(self, score: float) -> float:
        """The score turned so that less is better; NaN is the worst."""
        if math.isnan(score):
            return math.inf
        return -score if self.validation.direction.higher_is_better else score
