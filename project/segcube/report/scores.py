"""Scores as tables on stdout."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from rich.console import Console
from rich.table import Column, Table

from segcube.report.plain import plain

Regions = Mapping[str, Mapping[str, float]]
"""Metrics by name, region by region."""

SHOWN = (
    "lesionwise_dice",
    "lesionwise_hd95",
    "lesionwise_nsd",
    "lesionwise_nsd_0.5",
    "lesionwise_nsd_1.0",
    "num_tp",
    "num_fp",
    "num_fn",
    "rq",
    "pq_dice",
    "sensitivity_small",
    "dice",
    "iou",
    "hd95",
    "hd95_mm",
    "hd95_voxels",
    "asd",
)
"""The metrics that a terminal has room for, in order; files hold all."""
WORST = 3
WIDE = 200


def print_scores(title: str, mean: Regions, median: Regions, cases: Mapping[str, Regions]) -> None:
    """A row a metric, a column a region: the mean and the median; then each region's worst three cases.

    The worst are so by the first metric, the highest of which is best; a case that has no value is none.
    """
    names = [name for name in SHOWN if any(name in row for row in mean.values())]
    console = _console()
    table = Table("mean (median)", *(Column(plain(region)) for region in mean), title=plain(title))
    for name in names:
        table.add_row(name, *(f"{mean[region][name]:.3f} ({median[region][name]:.3f})" for region in mean))
    console.print(table)
    console.print(f"worst cases by {names[0]}")
    for region in mean:
        values = {case: regions[region][names[0]] for case, regions in cases.items()}
        worst = sorted((case for case in values if not isnan(values[case])), key=lambda case: values[case])
        told = ", ".join(f"{case} {values[case]:.3f}" for case in worst[:WORST])
        console.print(plain(f"  {region}: {told or 'none has a value'}"), soft_wrap=True)


def _console() -> Console:
    """A pipe or a file has room for every region."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def print_problems(
    problems: Mapping[str, str],
    notices: Mapping[str, tuple[str, ...]],
    without_reference: tuple[str, ...],
    bad_references: Mapping[str, str],
) -> None:
    """Print on stderr what was odd: notices, maps without a reference, missing maps, references not read."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for case, told in notices.items():
        for notice in told:
            console.print(plain(f"{case}: {notice}"))
    for case in without_reference:
        console.print(plain(f"{case}: no reference, not scored"))
    for case, problem in problems.items():
        console.print(plain(f"{case}: scored as missing: {problem}", "yellow"))
    if problems:
        console.print(plain(f"{len(problems)} cases scored as missing", "yellow"))
    for case, problem in bad_references.items():
        console.print(plain(f"{case}: not scored, its reference cannot be read: {problem}", "red"))
    if bad_references:
        told = f"{len(bad_references)} cases not scored and left out of the means: repair their references"
        console.print(plain(told, "red"))
