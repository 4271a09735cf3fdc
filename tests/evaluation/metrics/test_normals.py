from __future__ import annotations

import subprocess
import sys

import numpy as np

from segcube.evaluation.metrics.surfels import surface_normals


def test_the_table_is_the_one_that_monais_function_gives():
    from monai.metrics.utils import _get_neighbour_code_to_normals_table

    assert np.array_equal(surface_normals(), _get_neighbour_code_to_normals_table().numpy())


def test_it_comes_without_torch():
    program = "import sys; from segcube.evaluate import normals; normals.surface_normals(); "
    told = subprocess.check_output(
        [sys.executable, "-c", program + "print('torch' in sys.modules)"], text=True
    )
    assert told == "False\n"
