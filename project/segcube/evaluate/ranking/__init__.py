"""Submissions ranked by their scores, as the organisers do."""

from segcube.evaluate.ranking.ranking import Ranking, rank_files
from segcube.evaluate.ranking.tables import print_ranking

__all__ = ["Ranking", "print_ranking", "rank_files"]
