"""Soups: several weights of one network, averaged into one."""

from segcube.soups.average import average_weights
from segcube.soups.greedy import GreedyResult, greedy_soup
from segcube.soups.pot import Pot, open_pot
from segcube.soups.uniform import uniform_soup
from segcube.soups.validation import Validation

__all__ = [
    "GreedyResult",
    "Pot",
    "Validation",
    "average_weights",
    "greedy_soup",
    "open_pot",
    "uniform_soup",
]
