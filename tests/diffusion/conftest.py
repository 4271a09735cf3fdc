"""A run and the model of its first fold, for all tests of a module."""

import pytest

from segcube.diffusion import ModelFolder, train_model

from ..training.run.small import planned_run
from .tiny import CPU, request_for


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return planned_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    folder = ModelFolder(tmp_path_factory.mktemp("model") / "m")
    train_model(request_for(run), folder, CPU)
    return folder
