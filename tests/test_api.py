from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

import segcube
from segcube.core import Case, CaseError, Code, UsageError, cpu_count, limit_threads

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
            result = f"returned {task()}"
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        os.write(write, result.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as opened:
        result = opened.read()
    os.waitpid(child, 0)
    return result


@pytest.mark.parametrize("backend", BACKENDS)
def test_eight_threads_predict_the_labels_of_one(tmp_path, tumour_submission, make_case, glioma, backend):
    model = segcube.load(tumour_submission, device="cpu", backend=backend)
    names = [f"BraTS-GLI-0000{n}-000" for n in range(8)]
    folders = [make_case(tmp_path / "data", glioma, name, seed=n) for n, name in enumerate(names)]
    expected = [model.predict(folder).labels_xyz for folder in folders]
    found = in_threads([lambda at=folder: model.predict(at).labels_xyz for folder in folders])
    for labels_xyz, expected_xyz in zip(found, expected, strict=True):
        np.testing.assert_array_equal(labels_xyz, expected_xyz)


def test_two_models_predict_at_once(tmp_path, tumour_submission, make_case, glioma):
    presets = ("full", "fast", "full", "fast")
    models = [segcube.load(tumour_submission, device="cpu", preset=preset) for preset in presets]
    folder = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    expected = [model.predict(folder).labels_xyz for model in models]
    found = in_threads([lambda at=model: at.predict(folder).labels_xyz for model in models])
    for labels_xyz, expected_xyz in zip(found, expected, strict=True):
        np.testing.assert_array_equal(labels_xyz, expected_xyz)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forked_child_is_refused_the_model_of_its_parent(
    tmp_path, tumour_submission, make_case, glioma, backend
):
    model = segcube.load(tumour_submission, device="cpu", backend=backend)
    folder = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    model.predict(folder)
    result = in_forked_child(lambda: model.predict(folder))
    assert result.startswith("UsageError")
    assert "forked" in result


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_is_refused_torch_once_its_parent_used_it(tumour_submission, monkeypatch):
    monkeypatch.delenv("SEGCUBE_THREADS", raising=False)

    def load() -> None:
        segcube.load(tumour_submission, device="cpu", backend="torch")

    def load_in_one_thread() -> None:
        torch.set_num_threads(1)
        load()

    torch.set_num_threads(2)
    load()
    result = in_forked_child(load)
    assert result.startswith("EnvironmentFault")
    assert "spawn" in result
    assert in_forked_child(load_in_one_thread) == "returned None"


def test_a_map_is_written_to_a_folder_named_by_text(tmp_path, tumour_submission, make_case, glioma):
    model = segcube.load(tumour_submission, device="cpu")
    prediction = model.predict(make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000"))
    file = prediction.save(str(tmp_path / "out"))
    assert file == tmp_path / "out" / "BraTS-GLI-00001-000.nii.gz"
    # One of its own is replaced
    prediction.save(tmp_path / "out")
    file.write_bytes(b"an expert's labels")
    with pytest.raises(CaseError) as caught:
        prediction.save(tmp_path / "out")
    assert caught.value.code == Code.OUTPUT
    assert file.read_bytes() == b"an expert's labels"


def test_torch_computes_with_so_many_threads(tumour_submission):
    before = torch.get_num_threads()
    try:
        segcube.load(tumour_submission, device="cpu", backend="torch", threads=1)
        assert (cpu_count(), torch.get_num_threads()) == (1, 1)
    finally:
        torch.set_num_threads(before)
        limit_threads(None)


def test_a_starter_is_reported_as_one(caplog):
    starters = Path(__file__).parents[1] / "weights"
    segcube.load(starters / "mbas-starter", device="cpu")
    assert "mbas-starter is a STARTER" in caplog.text


def test_a_model_predicts_as_often_as_wanted(tmp_path, tumour_submission, make_case, glioma):
    model = segcube.load(tumour_submission, device="cpu")
    folders = [make_case(tmp_path / "data", glioma, f"BraTS-GLI-0000{n}-000", seed=n) for n in (1, 2)]
    first, second, again = (model.predict(folder) for folder in (*folders, folders[0]))
    np.testing.assert_array_equal(first.labels_xyz, again.labels_xyz)
    assert (first.labels_xyz != second.labels_xyz).any()
    written = nib.load(first.save(tmp_path / "map.nii.gz"))
    np.testing.assert_array_equal(np.asarray(written.dataobj), first.labels_xyz)


def test_a_folder_of_several_cases_is_no_case(tmp_path, tumour_submission, make_case, glioma):
    model = segcube.load(tumour_submission, device="cpu")
    for n in (1, 2):
        make_case(tmp_path / "data", glioma, f"BraTS-GLI-0000{n}-000")
    with pytest.raises(UsageError, match="holds 2 cases"):
        model.predict(tmp_path / "data")


def test_a_bad_case_raises_its_reason(tmp_path, tumour_submission, make_case, glioma):
    model = segcube.load(tumour_submission, device="cpu")
    folder = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    next(folder.glob("*t1c*")).unlink()
    with pytest.raises(CaseError, match="t1c"):
        model.predict(folder)


def test_a_model_takes_a_preset(tumour_submission, caplog):
    caplog.set_level("INFO", "segcube")
    segcube.load(tumour_submission, device="cpu", preset="fast")
    assert "preset fast: 1 of 2 members" in caplog.text


def test_an_unknown_device_is_named(tumour_submission):
    with pytest.raises(UsageError, match="device"):
        segcube.load(tumour_submission, device="gpu")


def test_a_case_without_a_channel_raises_its_reason(tumour_submission):
    model = segcube.load(tumour_submission, device="cpu")
    with pytest.raises(CaseError) as caught:
        model.predict(Case("BraTS-GLI-00001-000", {}, "t1c"))
    assert caught.value.code == Code.MISSING_MODALITY


@pytest.fixture
def case(tmp_path, make_case, glioma) -> Path:
    return make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")


@pytest.fixture
def model(tumour_submission) -> segcube.Model:
    return segcube.load(tumour_submission, device="cpu")


def files_of(case: Path) -> dict[str, Path]:
    return {channel: next(case.glob(f"*{channel}*")) for channel in ("t1c", "t1n", "t2f", "t2w")}


def test_files_and_arrays_give_the_labels_of_their_folder(model, case):
    expected = model.predict(case)
    files = files_of(case)
    by_files = model.predict({name: str(file) for name, file in files.items()})
    np.testing.assert_array_equal(by_files.labels_xyz, expected.labels_xyz)
    image = nib.load(files["t1c"])
    arrays = np.stack([np.asarray(nib.load(files[name]).dataobj) for name in files])
    by_arrays = model.predict_array(arrays[::-1], image.affine, channels=list(files)[::-1])
    np.testing.assert_array_equal(by_arrays.labels_xyz, expected.labels_xyz)
    np.testing.assert_allclose(by_arrays.affine, expected.affine, atol=1e-5)


@pytest.mark.parametrize(
    ("image_cxyz", "channels"),
    [(np.zeros((3, 8, 8, 8)), None), (np.zeros((8, 8, 8)), None), (np.zeros((4, 8, 8, 8)), list("abcd"))],
    ids=["three channels", "no channel axis", "unknown channels"],
)
def test_arrays_of_other_channels_are_refused(model, image_cxyz, channels):
    with pytest.raises(UsageError, match="t1c, t1n, t2f, t2w"):
        model.predict_array(image_cxyz, np.eye(4), channels=channels)


@pytest.mark.parametrize("shape", [(0, 4, 4), (40000, 1, 1)])
def test_arrays_that_no_file_could_hold_are_refused(model, shape):
    with pytest.raises(UsageError, match="shape"):
        model.predict_array(np.zeros((4, *shape), np.uint8), np.eye(4))


def test_an_unknown_on_error_is_refused(model, case, tmp_path):
    with pytest.raises(UsageError, match="on_error"):
        model.predict_folder(case.parent, tmp_path / "out", on_error="ignore")
    assert not (tmp_path / "out").exists()


def test_places_that_can_be_no_path_are_refused(model, tmp_path):
    prediction = model.predict_array(np.ones((4, 8, 8, 8)), np.eye(4))
    for task in (
        lambda: prediction.save(tmp_path / "a\0b.nii.gz"),
        lambda: model.predict_folder(None, tmp_path),
        lambda: model.predict_folder(tmp_path, "a\0b"),
        lambda: segcube.load(None),
    ):
        with pytest.raises(UsageError, match="expected a path"):
            task()


def test_a_masked_array_is_refused(model):
    image_cxyz = np.ma.masked_array(np.zeros((4, 32, 32, 32)))
    with pytest.raises(segcube.UsageError, match="masked array"):
        model.predict_array(image_cxyz, np.eye(4))


def test_an_array_stays_as_it_is(model):
    image_cxyz = np.random.default_rng(0).normal(size=(4, 16, 16, 16)).astype(np.float32)
    image_cxyz[0, 0, 0, 0] = np.nan
    before = image_cxyz.copy()
    prediction = model.predict_array(image_cxyz, np.eye(4))
    np.testing.assert_array_equal(image_cxyz, before)
    assert any(line.startswith("NONFINITE: t1c") for line in prediction.warnings)


def test_a_prediction_has_names_probabilities_and_an_image(model, case):
    prediction = model.predict(case, probabilities=True)
    assert prediction.label_names == {0: "background", 1: "NCR", 2: "ED", 3: "ET"}
    assert set(prediction.probabilities) == {"TC", "WT", "ET"}
    found_xyz = np.any([region_xyz > 0.5 for region_xyz in prediction.probabilities.values()], axis=0)
    np.testing.assert_array_equal(prediction.labels_xyz > 0, found_xyz)
    image = prediction.to_nifti()
    np.testing.assert_array_equal(np.asarray(image.dataobj), prediction.labels_xyz)
    np.testing.assert_array_equal(image.affine, prediction.affine)
    assert prediction.seconds["read" if "read" in prediction.seconds else "preprocess"] >= 0
    assert model.predict(case).probabilities is None


def test_what_is_printed_of_a_model_is_short(model):
    prediction = model.predict_array(np.ones((4, 8, 9, 10)), np.eye(4))
    assert (model.device, repr(model.challenge)) == ("cpu", "<Challenge brats2023-gli>")
    assert model.description.startswith("cpu as requested; openvino ")
    assert repr(model) == "<Model for brats2023-gli: cpu>"
    assert repr(prediction) == "<Prediction of array for brats2023-gli: 8 x 9 x 10 voxels>"


def test_a_folder_is_predicted_and_reported_case_by_case(model, case, tmp_path, make_case, glioma):
    bad = make_case(tmp_path / "data", glioma, "BraTS-GLI-00002-000")
    next(bad.glob("*t2w*")).write_bytes(b"no scan")
    seen = []
    report = model.predict_folder(
        case.parent,
        tmp_path / "out",
        progress=lambda case, done, count: seen.append((case.case, done, count)),
    )
    assert [(entry.case, entry.status) for entry in report.cases] == [
        ("BraTS-GLI-00001-000", "done"),
        ("BraTS-GLI-00002-000", "failed"),
    ]
    assert seen == [("BraTS-GLI-00001-000", 1, 2), ("BraTS-GLI-00002-000", 2, 2)]
    written = nib.load(tmp_path / "out" / "BraTS-GLI-00001-000.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), model.predict(case).labels_xyz)
    again = model.predict_folder(case.parent, tmp_path / "out", resume=True)
    assert again.cases[0].status == "kept"


def test_a_closed_model_is_refused(tumour_submission, case):
    with segcube.load(tumour_submission, device="cpu") as model:
        model.predict(case)
    with pytest.raises(UsageError, match="closed"):
        model.predict(case)


SCRIPT = """
from typing import Any

import numpy as np
from numpy.typing import NDArray

import segcube

with segcube.load("weights/NAME", device="cpu", precision="fp32", mirrors=False) as model:
    prediction = model.predict({"t1c": "a.nii.gz"}, probabilities=True)
    labels: NDArray[np.integer[Any]] = prediction.labels_xyz
    names: dict[int, str] = prediction.label_names
    probabilities: dict[str, NDArray[np.float32]] | None = prediction.probabilities
    seconds: float = sum(prediction.seconds.values())
    model.predict_array(np.zeros((4, 8, 8, 8)), np.eye(4)).save("map.nii.gz")

    def progress(case: segcube.CaseReport, done: int, count: int) -> None:
        print(f"{done}/{count} {case.case} {case.status}")

    try:
        report = model.predict_folder("data", "out", on_error="empty", progress=progress)
    except segcube.UsageError as error:
        print(error.hint)
"""


@pytest.mark.parametrize(
    ("change", "is_wrong"),
    [
        (("NAME", "mine"), False),
        (('precision="fp32"', 'precision="fp23"'), True),
        (("labels: NDArray[np.integer[Any]]", "labels: str"), True),
    ],
    ids=["as it is", "a wrong option", "a wrong type"],
)
def test_a_users_script_is_checked_by_pyright(tmp_path, change, is_wrong):
    (tmp_path / "script.py").write_text(SCRIPT.replace(*change))
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    pyright = Path(sys.executable).with_name("pyright")
    command = [str(pyright), "--pythonpath", sys.executable, "--outputjson", "script.py"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = json.loads(ended.stdout)["generalDiagnostics"]
    assert any(entry["severity"] == "error" for entry in found) == is_wrong, found


def test_a_saved_network_is_a_member(tmp_path):
    arguments = {"in_channels": 4, "out_channels": 3, "n_channels": 2, "exp_r": 2, "block_counts": 1}
    network = segcube.networks.build("MedNeXtV1", arguments)
    sha256 = segcube.save(network, "MedNeXtV1", arguments, str(tmp_path / "fold0.safetensors"))
    loaded = segcube.networks.load_network(tmp_path / "fold0.safetensors", sha256)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=0, atol=0)


def test_the_progress_callback_is_refused_the_model_in_use(tmp_path, tumour_submission, make_case, glioma):
    make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    model = segcube.load(tumour_submission, device="cpu")
    refused: list[UsageError] = []

    def use(*_: object) -> None:
        for action in (lambda: model.predict(tmp_path / "data"), model.close):
            with pytest.raises(UsageError, match="in use by this thread") as caught:
                action()
            refused.append(caught.value)

    model.predict_folder(tmp_path / "data", tmp_path / "out", progress=use)
    assert len(refused) == 2
    model.close()
    model.close()
    with pytest.raises(UsageError, match="closed"):
        model.predict(tmp_path / "data")


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "..", "", "a\0b", 3])
def test_a_case_is_named_by_a_file_name(tumour_submission, name):
    model = segcube.load(tumour_submission, device="cpu")
    image = np.ones((4, 8, 8, 8), np.float32)
    with pytest.raises(UsageError, match="case name"):
        model.predict_array(image, np.eye(4), name=name)
    with pytest.raises(UsageError, match="case name"):
        model.predict(Case(name, {}, "t1c"))


@pytest.mark.parametrize("affine", [np.eye(4).T + np.eye(4, k=-3), np.eye(4) * (1 + 0j), np.eye(3), "x"])
def test_an_affine_that_is_none_is_refused(tumour_submission, affine):
    model = segcube.load(tumour_submission, device="cpu")
    with pytest.raises(UsageError, match="affine"):
        model.predict_array(np.ones((4, 8, 8, 8), np.float32), affine)


@pytest.mark.parametrize("values", [{"threads": True}, {"threads": "2"}, {"mirrors": "yes"}, {"mirrors": 1}])
def test_load_refuses_values_of_another_type(tumour_submission, values):
    with pytest.raises(UsageError, match=next(iter(values))):
        segcube.load(tumour_submission, device="cpu", **values)


def test_a_map_is_not_saved_in_another_format(tmp_path, tumour_submission, make_case, glioma):
    model = segcube.load(tumour_submission, device="cpu")
    prediction = model.predict(make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000"))
    with pytest.raises(UsageError, match="not the name of a label map; expected"):
        prediction.save(tmp_path / "map.mha")
