from __future__ import annotations

import sys

import pytest

from segcube.backends.openvino import INDEX, compile_if_possible
from segcube.spec.submission import load_for


@pytest.fixture
def uncompiled(tumour_submission):
    for file in [*tumour_submission.glob("*.openvino"), tumour_submission / INDEX]:
        file.unlink()
    return load_for(tumour_submission)


def test_a_submission_is_compiled_beside_its_weights(uncompiled, told):
    compile_if_possible(uncompiled, told.append)
    assert (uncompiled.folder / INDEX).is_file()
    assert all(line.startswith("compiling ") for line in told)


def test_without_openvino_nothing_is_compiled_which_is_told(uncompiled, told, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "segcube.backends.openvino.compiling", raising=False)
    compile_if_possible(uncompiled, told.append)
    assert not (uncompiled.folder / INDEX).exists()
    assert told == ["not compiled, so that torch runs it on a CPU: openvino is not installed"]
