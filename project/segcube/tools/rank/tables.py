"""Print a ranking on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column, Table

from segcube.core import count_of, literal_text
from segcube.evaluation import direction_of
from segcube.tools.rank.ranking import Pair, Ranking

NAMED = 3
"""Cases to name on either side of a pair."""


def print_ranking(ranking: Ranking) -> None:
    """Print a table of the submissions, the best first, and a few lines for each pair."""
    console = Console(highlight=False, soft_wrap=True)
    count = count_of(len(next(iter(ranking.places.values())).cases), "case")
    title = f"{ranking.challenge}, profile {ranking.profile}, {count}"
    means = (Column(literal_text(f"mean {name}")) for name in ranking.directions)
    table = Table("place", "submission", "rank", *means, title=literal_text(title))
    for name, place in ranking.places.items():
        means = (f"{mean:.4g}" for mean in place.mean.values())
        table.add_row(str(place.place), literal_text(name), f"{place.rank:.3f}", *means)
    console.print(table)
    for pair in ranking.pairs:
        console.print()
        for line in pair_lines(pair):
            console.print(literal_text(line))
    if ranking.differing:
        console.print()
        console.print(literal_text(f"scored with different versions of {', '.join(ranking.differing)}"))


def pair_lines(pair: Pair) -> list[str]:
    """Describe by how much and in which cases one submission beats another."""
    if pair.rank_gain == 0:
        first = f"{pair.better} and {pair.worse} rank alike"
    else:
        first = f"{pair.better} beats {pair.worse} by {pair.rank_gain:.3f} ranks, p = {pair.p_value:.3g}"
    equal = len(pair.cases) - pair.wins - pair.losses
    lines = [f"{first}: better in {count_of(pair.wins, 'case')}, equal in {equal}, worse in {pair.losses}"]
    for region, gains in pair.gains.items():
        lines.append(f"  {region}: " + ", ".join(_describe_gain(*gain) for gain in gains.items()))
    gained = [(case, gain) for case, gain in pair.cases.items() if gain > 0][:NAMED]
    lost = [(case, gain) for case, gain in reversed(list(pair.cases.items())) if gain < 0][:NAMED]
    for words, named in (("best in", gained), ("worst in", lost)):
        if named:
            lines.append(f"  {words} " + ", ".join(f"{case} ({gain:+.2f})" for case, gain in named))
    return lines


def _describe_gain(metric: str, difference: float) -> str:
    """The difference of a metric's means, and whether the better submission is worse in it."""
    is_worse = difference < 0 if direction_of(metric).higher_is_better else difference > 0
    return f"{metric} {difference:+.4g}{' (worse)' if is_worse else ''}"
