"""Average rank over metrics, as the tables of the MBAS experiments have it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata


def average_ranks(rows: Sequence[Sequence[float]], higher_is_better: Sequence[bool]) -> list[float]:
    """Rank the rows in each column, 1 being the best, and return the mean rank of each row; ties share."""
    signs = np.where(higher_is_better, -1.0, 1.0)
    return np.asarray(rankdata(np.asarray(rows) * signs, axis=0)).mean(axis=1).tolist()
