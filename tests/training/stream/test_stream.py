"""Phantoms made while a training runs: which are at hand, their content, and processes that die."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from segcube.core import EnvironmentFault, ExitCode, UsageError
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import Branch
from segcube.training.cache import CacheRules
from segcube.training.recipes import Cascade, Synthetic
from segcube.training.signals import EndRequested, Requests
from segcube.training.stream import PhantomStream, StreamRules, make_streamed

HEARTS = load_challenge("mbas2024")
BRANCH = Branch.model_validate(
    {
        "channels": ["lge"],
        "orientation": "RAS",
        "spacing": [12.0, 12.0, 12.0],
        "outputs": {"kind": "labels", "names": ["background", "wall", "RA", "LA"]},
        "window": {"size": [16, 16, 16]},
        "members": [{"file": "none.safetensors", "sha256": "0" * 64}],
    }
)


def rules_of(cascade=None, **changes):
    synthetic = Synthetic.model_validate({"spacing": 12.0, "buffer": 10, "patches": 4, "seed": 3} | changes)
    return StreamRules(CacheRules(BRANCH, HEARTS, cascade=cascade), synthetic)


@pytest.fixture(scope="module")
def stream():
    """Two phantoms for the first step: each takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segcube.training.stream.stream.FIRST", 2)
        with PhantomStream(rules_of(), batch=2, requests=Requests(Path()), workers=1) as opened:
            yield opened


@pytest.fixture(scope="module")
def first(stream):
    """The phantoms of the first step."""
    return stream.at(0)


def test_a_phantom_joins_after_the_samples_of_another():
    # Two samples a step, four a phantom: one joins every second step, and ten stay
    with PhantomStream(rules_of(), batch=2, requests=Requests(Path()), workers=1) as stream:
        assert [stream.indices(step) for step in (0, 1, 2, 4, 5, 6, 20)] == [
            range(8),
            range(8),
            range(9),
            range(10),
            range(10),
            range(1, 11),
            range(8, 18),
        ]


def test_a_smaller_share_takes_fewer_phantoms():
    with PhantomStream(rules_of(share=0.25), batch=2, requests=Requests(Path()), workers=1) as stream:
        assert [stream.indices(step).stop for step in (0, 7, 8, 16)] == [8, 8, 9, 10]


def test_a_process_makes_the_phantoms_that_a_call_makes(stream, first):
    assert len(first) == 2
    found, wanted = first[1].prepared, make_streamed(stream.rules, 1).prepared
    np.testing.assert_array_equal(found.image_cxyz, wanted.image_cxyz)
    np.testing.assert_array_equal(found.labels_xyz, wanted.labels_xyz)
    np.testing.assert_array_equal(found.voxels, wanted.voxels)
    assert not np.array_equal(found.labels_xyz, first[0].prepared.labels_xyz)


def test_a_process_that_is_killed_is_started_again(stream, first):
    os.kill(stream._workers[0]._process.pid, signal.SIGKILL)
    late = stream.at(10)
    wanted = make_streamed(stream.rules, 6).prepared
    np.testing.assert_array_equal(late[-1].prepared.image_cxyz, wanted.image_cxyz)
    # Those of the first step are still at hand
    assert late[0] is first[0]


def test_a_case_is_the_phantom_on_the_grid_of_the_branch():
    case = make_streamed(rules_of(), 0)
    assert case.prepared.image_cxyz.dtype == np.float16
    assert case.classes == ("wall", "RA", "LA")
    image_cxyz, labels_xyz = case.tensors.image_cxyz, case.tensors.labels_xyz
    assert image_cxyz.shape[1:] == labels_xyz.shape == case.shape
    x, y, z = case.class_voxels["LA"].T.astype(int)
    assert (case.prepared.labels_xyz[x, y, z] == 3).all()
    assert case.annotated_voxels is None


def test_a_second_stage_gets_the_labels_as_the_map_of_the_first():
    cascade = Cascade.model_validate({"as": "gate", "keep": "all"})
    prepared = make_streamed(rules_of(cascade), 0).prepared
    labelled_xyz = np.isin(prepared.labels_xyz, (1, 2, 3))
    # Both are resampled on their own: voxels of the border may differ
    assert (labelled_xyz == prepared.previous_xyz.astype(bool)).mean() > 0.95


def test_processes_that_always_die_end_the_training(monkeypatch):
    monkeypatch.setattr("segcube.training.stream.stream.python_command", lambda *_: ["false"])
    with (
        PhantomStream(rules_of(), batch=2, requests=Requests(Path()), workers=1) as stream,
        pytest.raises(EnvironmentFault, match=r"phantom 0 ended with code .*, 3 times"),
    ):
        stream.at(0)


def test_errors_of_the_process_are_raised():
    challenge = HEARTS.model_copy(update={"labels": {"background": 0, "valve": 1}})
    rules = StreamRules(CacheRules(BRANCH, challenge), Synthetic())
    with (
        PhantomStream(rules, batch=2, requests=Requests(Path()), workers=1) as stream,
        pytest.raises(UsageError, match="no synthetic tissue for label valve"),
    ):
        stream.at(0)


def test_closing_ends_the_processes(monkeypatch):
    monkeypatch.setattr("segcube.training.stream.stream.FIRST", 1)
    with PhantomStream(rules_of(), batch=2, requests=Requests(Path()), workers=1) as stream:
        stream.at(0)
        process = stream._workers[0]._process
    assert process.returncode == -signal.SIGKILL


def test_a_request_to_end_stops_the_wait_for_phantoms():
    requests = Requests(Path(), end=ExitCode.INTERRUPTED)
    with PhantomStream(rules_of(), 2, requests, workers=1) as stream, pytest.raises(EndRequested):
        stream.at(0)
