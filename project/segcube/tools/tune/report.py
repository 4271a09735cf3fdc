"""The report of a tuning, and the YAML block for the submission."""

from __future__ import annotations

from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from segcube.core import literal_text
from segcube.evaluation import OBJECTIVES
from segcube.tools.tune.inputs import Inputs
from segcube.tools.tune.search import Tuned
from segcube.tools.tune.search_space import active_rules


def verdict(tuned: Tuned, inputs: Inputs) -> str:
    """One line: the gain of an unseen case, and whether the own values stay."""
    held_out = tuned.held_out
    metric = OBJECTIVES[inputs.metrics.profile]
    gain = f"{metric} of an unseen case: {held_out.gain:+.4f} ± {held_out.error:.4f}"
    line = f"{gain} ({len(held_out.cases)} cases, {len(held_out.points)} folds)"
    return line if tuned.improves else f"{line}: no reliable gain, the own values stay"


def tuned_block(tuned: Tuned, inputs: Inputs) -> str:
    """Write the postprocess block as YAML, and the members' weights where they were tuned.

    Without a gain of unseen cases, the submission's own rules.
    """
    space = tuned.space
    rules = active_rules(space.rules_at(tuned.fitted)) if tuned.improves else inputs.rules
    dumped = [rule.model_dump(mode="json", by_alias=True, exclude_defaults=True) for rule in rules]
    content: dict[str, Any] = {"postprocess": dumped}
    if space.members and tuned.improves:
        rows = zip(space.members, space.weights_at(tuned.fitted), strict=True)
        content["weights"] = {member: dict(zip(space.channels, row, strict=True)) for member, row in rows}
    return f"# {verdict(tuned, inputs)}\n" + yaml.safe_dump(content, sort_keys=False, width=110)


def print_tuned(tuned: Tuned, inputs: Inputs) -> None:
    """Print to stderr the gain of each region and the changed values with those of each fold."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    table = Table("region", "own values", "tuned, unseen", "gain", title=OBJECTIVES[inputs.metrics.profile])
    for region, (before, after) in tuned.held_out.regions().items():
        table.add_row(literal_text(region), f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}")
    console.print(table)
    for change in tuned.changes:
        folds = ", ".join(map(str, change.in_folds))
        console.print(
            literal_text(f"{change.name}: {change.before} -> {change.after} (in the folds: {folds})")
        )
    console.print(literal_text(verdict(tuned, inputs)))
