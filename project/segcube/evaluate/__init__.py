"""Scores of label maps."""

from segcube.evaluate.dice import dice
from segcube.evaluate.plain import Scores, evaluate_folder

__all__ = ["Scores", "dice", "evaluate_folder"]
