"""Whole runs of `segcube infer`."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

NAMES = ("BraTS-GLI-00001-000", "BraTS-GLI-00002-000", "BraTS-GLI-00003-000")


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_every_case_gets_its_map_on_its_own_grid(infer, data):
    code, out, report, stderr = infer()
    assert code == 0, stderr
    assert sorted(files_of(out)) == [f"{name}.nii.gz" for name in NAMES]
    given = nib.load(data / NAMES[0] / f"{NAMES[0]}-t1c.nii.gz")
    written = nib.load(out / f"{NAMES[0]}.nii.gz")
    assert written.shape == given.shape
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(written.affine, given.affine)
    for form in ("sform_code", "qform_code"):
        assert written.header[form] == given.header[form]
    assert {case["status"] for case in report["cases"]} == {"done"}
    assert report["ended"] == "done"
    assert {"segcube", "openvino", "torch", "numpy"} <= set(report["versions"])
    assert list(report["cases"][0]["seconds"]) == [
        "read",
        "preprocess",
        "windows tumour",
        "forward",
        "postprocess",
        "restore",
        "write",
    ]
    values = np.asarray(written.dataobj)
    assert report["cases"][0]["voxels"]["ET"] == np.count_nonzero(values == 3)


def test_the_same_input_gives_the_same_bytes(infer):
    _, first, _, _ = infer(out="first")
    _, second, _, _ = infer(out="second")
    assert files_of(first) == files_of(second)


def cut(data: Path, name: str) -> None:
    file = data / name / f"{name}-t1c.nii.gz"
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(("on_error", "code", "maps"), [("skip", 3, 2), ("empty", 0, 3), ("stop", 3, 1)])
def test_a_bad_case_is_handled_as_on_error_states(infer, data, on_error, code, maps):
    cut(data, NAMES[1])
    found, out, report, stderr = infer("--on-error", on_error)
    assert found == code
    assert len(files_of(out)) == maps
    bad = report["cases"][1]
    assert bad["code"] == "TRUNCATED"
    assert f"{NAMES[1]}: TRUNCATED" in stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize(("on_error", "code"), [("skip", 4), ("empty", 4), ("stop", 3)])
def test_all_bad_cases_have_their_exit_code(infer, data, on_error, code):
    for name in NAMES:
        cut(data, name)
    found, _, _, stderr = infer("--on-error", on_error)
    assert found == code
    assert ("next: segcube check input" in stderr) is (on_error != "empty")


def test_an_empty_map_lies_on_the_grid_of_the_case(infer, data):
    cut(data, NAMES[1])
    _, out, report, _ = infer("--on-error", "empty")
    written = nib.load(out / f"{NAMES[1]}.nii.gz")
    assert written.shape == (14, 12, 10)
    assert not np.asarray(written.dataobj).any()
    assert report["cases"][1]["status"] == "empty"


def test_resume_keeps_finished_maps_and_predicts_the_others(infer):
    _, out, _, _ = infer()
    before = files_of(out)
    kept = (out / f"{NAMES[0]}.nii.gz").stat().st_mtime_ns
    (out / f"{NAMES[1]}.nii.gz").write_bytes(before[f"{NAMES[1]}.nii.gz"][:-9])
    (out / f"{NAMES[2]}.nii.gz").unlink()
    code, _, report, stderr = infer("--resume")
    assert code == 0
    assert [case["status"] for case in report["cases"]] == ["kept", "done", "done"]
    assert (out / f"{NAMES[0]}.nii.gz").stat().st_mtime_ns == kept
    assert files_of(out) == before
    assert "predicted again" in stderr


def test_resume_predicts_again_after_other_settings(infer):
    infer()
    _, _, report, stderr = infer("--resume", "--no-flips")
    assert [case["status"] for case in report["cases"]] == ["done"] * 3
    assert "other settings" in stderr


def test_resume_predicts_again_after_another_preset(infer):
    infer()
    for preset in ("fast", "balanced"):
        _, _, report, _ = infer("--resume", "--preset", preset)
        assert [case["status"] for case in report["cases"]] == ["done"] * 3
    _, _, report, _ = infer("--resume", "--preset", "balanced")
    assert [case["status"] for case in report["cases"]] == ["kept"] * 3


def test_resume_predicts_again_after_other_inputs(infer, data, make_case, glioma):
    infer()
    make_case(data, glioma, NAMES[1], seed=77)
    _, _, report, _ = infer("--resume")
    assert [case["status"] for case in report["cases"]] == ["kept", "done", "kept"]


def make_outputs_overflow(submission: Path) -> None:
    """Give a submission finite weights with outputs that overflow."""
    content = yaml.safe_load((submission / "submission.yaml").read_text())
    for member in content["stages"][0]["branches"][0]["members"]:
        file = submission / member["file"]
        with safe_open(file, "pt") as opened:
            card = opened.metadata()
        weights = {name: torch.full_like(tensor, 1e30) for name, tensor in load_file(file).items()}
        save_file(weights, file, card)
        member["sha256"] = sha256(file.read_bytes()).hexdigest()
    (submission / "submission.yaml").write_text(yaml.safe_dump(content))
    (submission / "openvino.yaml").unlink()


def test_resume_predicts_failed_cases_with_empty_maps_again(infer, tumour_submission):
    make_outputs_overflow(tumour_submission)
    for _ in range(2):
        code, _, report, _ = infer("--resume", "--on-error", "empty", "--backend", "torch")
        assert code == 4
        assert [case["code"] for case in report["cases"]] == ["NONFINITE"] * 3
        assert [case["status"] for case in report["cases"]] == ["empty"] * 3


def test_resume_predicts_cases_without_saved_probabilities_again(infer, tmp_path):
    saved = ("--save-probabilities", str(tmp_path / "kept"))
    infer()
    _, _, report, stderr = infer("--resume", *saved)
    assert [case["status"] for case in report["cases"]] == ["done"] * 3
    assert "probabilities" in stderr
    _, _, report, _ = infer("--resume", *saved)
    assert [case["status"] for case in report["cases"]] == ["kept"] * 3
    _, _, report, _ = infer("--resume", *saved, "--each-member")
    assert [case["status"] for case in report["cases"]] == ["done"] * 3


def test_resume_predicts_cases_with_probabilities_of_other_settings_again(infer, tmp_path):
    saved = ("--save-probabilities", str(tmp_path / "kept"))
    infer(*saved)
    infer("--no-flips", *saved, out="other")
    _, _, report, _ = infer("--resume", *saved)
    assert [case["status"] for case in report["cases"]] == ["done"] * 3


def test_each_member_without_a_folder_to_save_to_is_refused(infer):
    code, out, _, stderr = infer("--each-member")
    assert code == 2
    assert "--save-probabilities" in stderr
    assert not out.exists()


@pytest.mark.parametrize("options", [(), ("--resume",), ("--on-error", "empty"), ("--shard", "1/1")])
def test_files_that_segcube_did_not_write_end_the_run_and_stay(infer, tmp_path, options):
    (tmp_path / "out").mkdir()
    for name in (NAMES[0], NAMES[2]):
        (tmp_path / "out" / f"{name}.nii.gz").write_bytes(b"an expert's labels")
    before = files_of(tmp_path / "out")
    code, out, report, stderr = infer(*options)
    assert code == 2
    assert files_of(out) == before
    assert report is None
    assert f"{NAMES[0]}.nii.gz, {NAMES[2]}.nii.gz" in stderr


def test_only_files_in_place_of_maps_of_the_shard_end_the_run(infer, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{NAMES[1]}.nii.gz").write_bytes(b"an expert's labels")
    assert infer("--shard", "1/2")[0] == 0
    assert infer("--shard", "2/2")[0] == 2


def test_a_case_that_is_refused_leaves_the_file_in_its_maps_place(infer, data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{NAMES[1]}.nii.gz").write_bytes(b"an expert's labels")
    next((data / NAMES[1]).glob("*t1c*")).unlink()
    before = files_of(tmp_path / "out")
    for on_error in ("skip", "empty", "stop"):
        code, out, _, _ = infer("--on-error", on_error)
        assert (code, files_of(out)) == (2, before)


def test_a_link_in_place_of_a_map_ends_the_run(infer, tmp_path):
    _, first, _, _ = infer(out="first")
    (tmp_path / "out").mkdir()
    link = tmp_path / "out" / f"{NAMES[0]}.nii.gz"
    link.symlink_to(first / link.name)
    assert infer()[0] == 2
    assert link.is_symlink()


def test_a_second_run_replaces_the_maps_of_the_first(infer):
    _, out, _, _ = infer("--no-flips")
    before = files_of(out)
    code, _, report, _ = infer()
    assert code == 0
    assert [case["status"] for case in report["cases"]] == ["done"] * 3
    assert all(content != before[name] for name, content in files_of(out).items())


def test_probabilities_that_segcube_did_not_save_end_the_run_and_stay(infer, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    np.savez(kept / f"{NAMES[1]}.npz", probabilities=np.zeros(3))
    before = files_of(kept)
    code, out, _, stderr = infer("--save-probabilities", str(kept))
    assert code == 2
    assert f"{NAMES[1]}.npz" in stderr
    assert files_of(kept) == before
    assert not out.exists()


def test_shards_share_the_cases(infer):
    _, first, _, _ = infer("--shard", "1/2", out="first")
    _, second, _, _ = infer("--shard", "2/2", out="second")
    assert sorted(files_of(first)) == [f"{NAMES[0]}.nii.gz", f"{NAMES[2]}.nii.gz"]
    assert sorted(files_of(second)) == [f"{NAMES[1]}.nii.gz"]


def test_an_empty_shard_has_nothing_to_do(infer):
    code, out, report, stderr = infer("--shard", "5/8")
    assert code == 0
    assert "shard 5/8 holds none of 3 cases" in stderr
    assert files_of(out) == {}
    assert (report["ended"], report["cases"]) == ("done", [])


def test_a_folder_without_cases_is_not_an_empty_shard(infer, data):
    for name in NAMES:
        shutil.rmtree(data / name)
    assert infer("--shard", "5/8")[0] == 4


def test_probabilities_are_saved_within_their_box(infer, tmp_path):
    _, out, _, _ = infer("--save-probabilities", str(tmp_path / "kept"), "--each-member")
    names = {file.name for file in (tmp_path / "kept").iterdir()}
    assert names == {f"{n}{m}.npz" for n in NAMES for m in ("", ".MedNeXtV10", ".MedNeXtV11")}
    with np.load(tmp_path / "kept" / f"{NAMES[0]}.npz") as kept:
        assert list(kept["names"]) == ["TC", "WT", "ET"]
        assert kept["probabilities_kxyz"].dtype == np.float32
        size = kept["box_stop"] - kept["box_start"]
        assert kept["probabilities_kxyz"].shape == (3, *size)
        whole = np.zeros((3, *kept["shape"]))
        whole[(slice(None), *map(slice, kept["box_start"], kept["box_stop"]))] = kept["probabilities_kxyz"]
    labels = np.asarray(nib.load(out / f"{NAMES[0]}.nii.gz").dataobj)
    np.testing.assert_array_equal(whole[2] > 0.5, labels == 3)
    with np.load(tmp_path / "kept" / f"{NAMES[0]}.MedNeXtV10.npz") as member:
        assert member["probabilities_kxyz"].dtype == np.float16


def test_a_quiet_run_prints_only_problems(infer, data):
    cut(data, NAMES[1])
    _, _, _, stderr = infer("--quiet")
    # The synthetic cases are smaller than the challenge's, which gives each a notice
    printed = [line for line in stderr.strip().splitlines() if "GEOMETRY" not in line]
    assert printed == [line for line in printed if NAMES[1] in line]


@pytest.mark.parametrize(
    ("options", "code", "printed"),
    [
        (("--device", "cuda:9"), 5, "cuda:9"),
        (("--weights", "/nowhere"), 5, "no such folder"),
        (("--challenge", "mbas2024"), 2, "does not serve"),
        (("--shard", "3/2"), 2, "--shard"),
        (("--backend", "openvino", "--device", "cuda"), 2, "backend openvino on cuda"),
    ],
)
def test_unavailable_settings_end_the_run(infer, options, code, printed):
    found, _, _, stderr = infer(*options)
    assert found == code
    assert printed in stderr


def test_changed_weights_end_the_run(infer, tumour_submission):
    file = tumour_submission / "MedNeXtV11.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    code, out, _, stderr = infer()
    assert code == 5
    assert "MedNeXtV11.safetensors" in stderr
    assert not out.exists() or not files_of(out)


def test_names_of_another_served_challenge_give_a_hint(infer, data):
    for name in NAMES:
        for file in (data / name).iterdir():
            file.rename(data / name / file.name.replace("GLI", "SSA"))
        (data / name).rename(data / name.replace("GLI", "SSA"))
    code, _, _, stderr = infer()
    assert code == 2
    assert "--challenge brats2023-ssa" in stderr
    assert infer("--challenge", "brats2023-ssa")[0] == 0


def test_without_cases_the_exit_code_is_4(infer, data):
    for name in NAMES:
        for file in (data / name).iterdir():
            file.unlink()
    code, _, _, stderr = infer()
    assert code == 4
    assert "no case" in stderr


def test_a_case_that_fails_now_keeps_no_map_of_an_earlier_run(infer, data):
    _, out, _, _ = infer()
    cut(data, NAMES[1])
    assert infer()[0] == 3
    assert sorted(files_of(out)) == [f"{NAMES[0]}.nii.gz", f"{NAMES[2]}.nii.gz"]


def correct_by_hand(file: Path) -> bytes:
    """Change a voxel and keep the header, as a viewer does; returns the new content."""
    image = nib.load(file)
    labels_xyz = np.asarray(image.dataobj).copy()
    labels_xyz[0, 0, 0] = 1 - labels_xyz[0, 0, 0]
    nib.save(nib.Nifti1Image(labels_xyz, image.affine, image.header), file)
    return file.read_bytes()


@pytest.mark.parametrize("options", [(), ("--resume",), ("--on-error", "skip")])
def test_a_map_that_was_corrected_by_hand_ends_the_run_and_stays(infer, data, options):
    _, out, _, _ = infer()
    corrected = correct_by_hand(out / f"{NAMES[1]}.nii.gz")
    cut(data, NAMES[1])
    code, _, _, stderr = infer(*options)
    assert code == 2
    assert f"{NAMES[1]}.nii.gz" in stderr
    assert (out / f"{NAMES[1]}.nii.gz").read_bytes() == corrected


def test_a_report_replaces_reports_alone(infer, tmp_path):
    report = tmp_path / "out.json"
    assert infer()[0] == 0
    assert infer("--no-flips")[0] == 0
    report.write_text('{"a": "file of mine"}')
    code, _, _, stderr = infer()
    assert code == 2
    assert str(report) in stderr
    assert report.read_text() == '{"a": "file of mine"}'


def test_a_report_cannot_take_the_name_of_a_map(infer, tmp_path):
    file = tmp_path / "new" / f"{NAMES[0]}.nii.gz"
    assert infer("--report", str(file), out="new")[0] == 2
    assert not file.exists()


def test_a_case_that_fails_now_keeps_no_probabilities_of_an_earlier_run(infer, data, tmp_path):
    saved = ("--save-probabilities", str(tmp_path / "kept"))
    infer(*saved)
    cut(data, NAMES[1])
    assert infer(*saved)[0] == 3
    assert sorted(files_of(tmp_path / "kept")) == [f"{NAMES[0]}.npz", f"{NAMES[2]}.npz"]
