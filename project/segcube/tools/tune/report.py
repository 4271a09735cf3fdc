"""The report of a tuning, and the YAML block for the submission."""

from __future__ import annotations

from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from segcube.core import count_of, literal_text
from segcube.evaluation import OBJECTIVES
from segcube.tools.tune.inputs import Inputs
from segcube.tools.tune.search import Tuned
from segcube.tools.tune.search_space import active_rules


def verdict(tuned: Tuned, inputs: Inputs) -> str:
    """One line: the gain of an unseen case, and whether the current values stay."""
    metric = OBJECTIVES[inputs.metrics.profile]
    gain = f"{metric} of an unseen case: {tuned.gain:+.4f} ± {tuned.error:.4f}"
    line = f"{gain} ({count_of(len(tuned.patients), 'case')}, {count_of(len(tuned.in_folds), 'fold')})"
    return line if tuned.improves else f"{line}: no reliable gain, the current values stay"


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


def _value(value: object) -> str:
    """A value of the search as it is printed."""
    return "off" if value is None else str(value)


def print_tuned(tuned: Tuned, inputs: Inputs) -> None:
    """Print to stderr the gain of each region and the changed values with those of each fold."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    heading = ("region", "current", "tuned, unseen", "gain", "in-sample")
    table = Table(*heading, title=OBJECTIVES[inputs.metrics.profile])
    for region in tuned.before[0]:
        before, after, same = (
            np.mean([row[region] for row in rows]) for rows in (tuned.before, tuned.after, tuned.same)
        )
        cells = (f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}", f"{same:.4f}")
        table.add_row(literal_text(region), *cells)
    console.print(table)
    start = tuned.space.start
    names = dict.fromkeys(name for block in tuned.space.blocks for name in block)
    changed = [name for name in names if start[name] != tuned.fitted[name]]
    if changed and not tuned.improves:
        console.print("candidates, not applied:")
    for name in changed:
        points = (start, tuned.fitted, *tuned.in_folds)
        before, after, *folds = (_value(point[name]) for point in points)
        line = f"{name}: {before} -> {after} (in the folds: {', '.join(folds)})"
        console.print(literal_text(line))
    console.print(literal_text(verdict(tuned, inputs)))
