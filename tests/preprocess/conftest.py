import numpy as np
import pytest
import torch


@pytest.fixture(params=[np.array, torch.tensor], ids=["numpy", "torch"])
def array(request):
    """Make an array of each library from numpy."""
    return request.param
