from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

import segcube
from segcube.core import Case, CaseError, Code, UsageError

BACKENDS = ("openvino", "torch")


def in_threads(tasks: list[Callable[[], object]]) -> list[object]:
    """What the tasks return or raise, each run in a thread of its own at the same time."""
    results: list[object] = [None] * len(tasks)
    together = threading.Barrier(len(tasks))

    def run(index: int) -> None:
        together.wait()
        try:
            results[index] = tasks[index]()
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def in_forked_child(task: Callable[[], object]) -> str:
    """What a task returns or raises in a forked child, as text."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = f"returned {task()}"
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as opened:
        told = opened.read()
    os.waitpid(child, 0)
    return told


@pytest.mark.parametrize("backend", BACKENDS)
def test_eight_threads_predict_the_labels_of_one(tmp_path, tumour_submission, make_case, glioma, backend):
    session = segcube.load_submission(tumour_submission, device="cpu", backend=backend)
    names = [f"BraTS-GLI-0000{n}-000" for n in range(8)]
    folders = [make_case(tmp_path / "data", glioma, name, seed=n) for n, name in enumerate(names)]
    expected = [session.predict(folder).labels_xyz for folder in folders]
    found = in_threads([lambda at=folder: session.predict(at).labels_xyz for folder in folders])
    for labels_xyz, expected_xyz in zip(found, expected, strict=True):
        np.testing.assert_array_equal(labels_xyz, expected_xyz)


def test_two_sessions_predict_at_once(tmp_path, tumour_submission, make_case, glioma):
    presets = ("full", "fast", "full", "fast")
    sessions = [segcube.load_submission(tumour_submission, device="cpu", preset=preset) for preset in presets]
    folder = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    expected = [session.predict(folder).labels_xyz for session in sessions]
    found = in_threads([lambda at=session: at.predict(folder).labels_xyz for session in sessions])
    for labels_xyz, expected_xyz in zip(found, expected, strict=True):
        np.testing.assert_array_equal(labels_xyz, expected_xyz)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forked_child_is_refused_the_session_of_its_parent(
    tmp_path, tumour_submission, make_case, glioma, backend
):
    session = segcube.load_submission(tumour_submission, device="cpu", backend=backend)
    folder = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    session.predict(folder)
    told = in_forked_child(lambda: session.predict(folder))
    assert told.startswith("UsageError")
    assert "forked" in told


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_is_refused_torch_once_its_parent_used_it(tumour_submission):
    def load() -> None:
        segcube.load_submission(tumour_submission, device="cpu", backend="torch")

    def load_in_one_thread() -> None:
        torch.set_num_threads(1)
        load()

    torch.set_num_threads(2)
    load()
    told = in_forked_child(load)
    assert told.startswith("EnvironmentFault")
    assert "spawn" in told
    assert in_forked_child(load_in_one_thread) == "returned None"


def test_a_map_is_written_to_a_folder_named_by_text(tmp_path, tumour_submission, make_case, glioma):
    session = segcube.load_submission(tumour_submission, device="cpu")
    prediction = session.predict(make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000"))
    file = session.write(prediction, str(tmp_path / "out"))
    assert file == tmp_path / "out" / "BraTS-GLI-00001-000.nii.gz"
    # One of its own is replaced
    session.write(prediction, tmp_path / "out")
    file.write_bytes(b"an expert's labels")
    with pytest.raises(CaseError) as caught:
        session.write(prediction, tmp_path / "out")
    assert caught.value.code == Code.OUTPUT
    assert file.read_bytes() == b"an expert's labels"


def test_a_starter_is_reported_as_one(capsys):
    starters = Path(__file__).parents[2] / "weights"
    segcube.load_submission(starters / "mbas-starter", device="cpu")
    assert "mbas-starter is a STARTER" in capsys.readouterr().err


def test_a_session_predicts_as_often_as_wanted(tmp_path, tumour_submission, make_case, glioma):
    session = segcube.load_submission(tumour_submission, device="cpu")
    folders = [make_case(tmp_path / "data", glioma, f"BraTS-GLI-0000{n}-000", seed=n) for n in (1, 2)]
    first, second, again = (session.predict(folder) for folder in (*folders, folders[0]))
    np.testing.assert_array_equal(first.labels_xyz, again.labels_xyz)
    assert (first.labels_xyz != second.labels_xyz).any()
    written = nib.load(session.write(first, tmp_path / "out"))
    np.testing.assert_array_equal(np.asarray(written.dataobj), first.labels_xyz)


def test_a_folder_of_several_cases_is_no_case(tmp_path, tumour_submission, make_case, glioma):
    session = segcube.load_submission(tumour_submission, device="cpu")
    for n in (1, 2):
        make_case(tmp_path / "data", glioma, f"BraTS-GLI-0000{n}-000")
    with pytest.raises(UsageError, match="holds 2 cases"):
        session.predict(tmp_path / "data")


def test_a_bad_case_raises_its_reason(tmp_path, tumour_submission, make_case, glioma):
    session = segcube.load_submission(tumour_submission, device="cpu")
    folder = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    next(folder.glob("*t1c*")).unlink()
    with pytest.raises(CaseError, match="t1c"):
        session.predict(folder)


def test_a_session_takes_a_preset(tumour_submission, capsys):
    session = segcube.load_submission(tumour_submission, device="cpu", preset="fast")
    assert len(session.models.loaded.submission.members) == 1
    assert "preset fast: 1 of 2 members" in capsys.readouterr().err


def test_an_unknown_setting_is_named(tumour_submission):
    with pytest.raises(UsageError, match="devise"):
        segcube.load_submission(tumour_submission, devise="cpu")


def test_a_case_without_a_channel_raises_its_reason(tumour_submission):
    session = segcube.load_submission(tumour_submission, device="cpu")
    with pytest.raises(CaseError) as caught:
        session.predict(Case("BraTS-GLI-00001-000", {}, "t1c"))
    assert caught.value.code == Code.MISSING_MODALITY
