"""The page of the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean

from versus.inputs import describe_machine

from training.equal import DataSet, Pair
from training.memory import Peak

TEMPLATE = Path(__file__).with_name("page.md")
LEAST_DICE = 0.80


def write_page(pairs: Mapping[DataSet, Sequence[Pair]], peaks: Sequence[Peak], file: Path) -> None:
    """Write the tables of all pairs and of memory, and whether the means agree."""
    content = TEMPLATE.read_text().format(
        machine=describe_machine().text,
        pairs="\n".join(_pairs([pair for found in pairs.values() for pair in found])),
        verdicts="\n".join(_verdict(data, found) for data, found in pairs.items()),
        memory="\n".join(_memory(peaks)),
    )
    file.write_text(content)


def _pairs(pairs: Sequence[Pair]) -> Iterator[str]:
    yield "| data | steps | seed | Dice, nnU-Net | Dice, segcube | steps/s, nnU-Net | steps/s, segcube |"
    yield "|---|---|---|---|---|---|---|"
    for pair in pairs:
        numbers = [*(f"{dice:.3f}" for dice in pair.dice), *(f"{pair.steps / s:.2f}" for s in pair.seconds)]
        yield f"| {pair.data} | {pair.steps:,} | {pair.seed} | {' | '.join(numbers)} |"


def _verdict(data: DataSet, pairs: Sequence[Pair]) -> str:
    """Whether both trainers reach the Dice and their means agree."""
    published, own = (mean(pair.dice[trainer] for pair in pairs) for trainer in (0, 1))
    met = abs(own - published) <= data.tolerance and min(published, own) >= LEAST_DICE
    split = f"{data.training} cases train and {data.validation} validate"
    found = f"means {published:.3f} (nnU-Net) and {own:.3f} (segcube), difference {own - published:+.3f}"
    goal = f"both at least {LEAST_DICE:.2f}, difference at most {data.tolerance}"
    return f"- {data.name}, {split}: {found}. Goal: {goal}: {'met' if met else '**missed**'}."


def _memory(peaks: Sequence[Peak]) -> Iterator[str]:
    yield "| training | peak, GB | of nnU-Net's |"
    yield "|---|---|---|"
    for peak in peaks:
        yield f"| {peak.name} | {peak.gb:.2f} | {peak.gb / peaks[0].gb:.2f} |"
