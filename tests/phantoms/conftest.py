import numpy as np
import pytest

from segcube.core import Grid


@pytest.fixture(scope="session")
def small_grid():
    """The field of view of a BraTS case, at 4 mm."""
    return Grid((60, 60, 39), np.diag([-4.0, -4.0, 4.0, 1.0]))


@pytest.fixture(scope="session")
def chest_grid():
    """The field of view of an MBAS case, at 5 mm in the plane."""
    return Grid((80, 80, 44), np.diag([-5.0, -5.0, 2.5, 1.0]))
