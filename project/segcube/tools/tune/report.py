"""What a tuning tells, and the block that it writes."""

from __future__ import annotations

from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from segcube.core import plain
from segcube.evaluation import OBJECTIVES
from segcube.tools.tune.inputs import Inputs
from segcube.tools.tune.search_space import written_rules, written_weights
from segcube.tools.tune.tuning import Tuned


def verdict(tuned: Tuned, inputs: Inputs) -> str:
    """One line: what an unseen case gains, and what is written."""
    held_out = tuned.held_out
    metric = OBJECTIVES[inputs.metrics.profile]
    told = f"{metric} of an unseen case: {held_out.gain:+.4f} ± {held_out.error:.4f}"
    cases = f"{len(held_out.cases)} cases, {len(held_out.points)} folds"
    if tuned.point == tuned.start:
        return f"{told} ({cases}): no gain to rely on, the own values stay"
    return f"{told} ({cases})"


def tuned_block(tuned: Tuned, inputs: Inputs) -> str:
    """The postprocess block as YAML, and the members' weights where they were tuned.

    The submission's own rules, as they are, where unseen cases gain nothing.
    """
    kept = tuned.point == tuned.start
    rules = inputs.rules if kept else written_rules(tuned.point)
    dumped = [rule.model_dump(mode="json", by_alias=True, exclude_defaults=True) for rule in rules]
    content: dict[str, Any] = {"postprocess": dumped}
    if inputs.members and not kept:
        content["weights"] = written_weights(tuned.point, inputs.members, inputs.cases[0].names)
    return f"# {verdict(tuned, inputs)}\n" + yaml.safe_dump(content, sort_keys=False, width=110)


def print_tuned(tuned: Tuned, inputs: Inputs) -> None:
    """Tell on stderr what each region gains, which values changed and how the folds agree."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    table = Table("region", "own values", "tuned, unseen", "gain", title=OBJECTIVES[inputs.metrics.profile])
    for region, (before, after) in tuned.held_out.regions().items():
        table.add_row(plain(region), f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}")
    console.print(table)
    for change in tuned.changes:
        folds = ", ".join(map(str, change.in_folds))
        console.print(plain(f"{change.name}: {change.before} -> {change.after} (in the folds: {folds})"))
    console.print(plain(verdict(tuned, inputs)))
