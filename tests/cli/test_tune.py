import nibabel as nib
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.spec.submission import read_submission


@pytest.fixture
def saved(tmp_path, tumour_submission, make_case, glioma):
    """Two cases, predicted with each member's probabilities kept, and true labels for them."""
    for number in (1, 2):
        name = f"BraTS-GLI-0000{number}-000"
        make_case(tmp_path / "data", glioma, name, seed=number)
        image = nib.load(tmp_path / "data" / name / f"{name}-t1c.nii.gz")
        labels_xyz = np.zeros(image.shape, np.uint8)
        labels_xyz[3:9, 3:9, 2:7] = 2
        (tmp_path / "ref").mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(labels_xyz, image.affine), tmp_path / "ref" / f"{name}-seg.nii.gz")
    arguments = ["--data_path", tmp_path / "data", "--output_path", tmp_path / "maps", "--device", "cpu"]
    arguments += ["--weights", tumour_submission, "--save-probabilities", tmp_path / "saved", "--each-member"]
    result = CliRunner().invoke(app, ["infer", *map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    return tmp_path / "saved"


def test_what_infer_saved_is_tuned_into_a_block_that_a_submission_takes(saved, tmp_path, tumour_submission):
    out = tmp_path / "block.yaml"
    arguments = ["--probabilities", saved, "--ref", tmp_path / "ref", "--weights", tumour_submission]
    result = CliRunner().invoke(app, ["tune", *map(str, [*arguments, "--out", out])])
    assert result.exit_code == 0, result.stderr
    assert "fold 2 of 2" in result.stderr
    assert "of an unseen case" in result.stderr
    file = tumour_submission / "submission.yaml"
    block = yaml.safe_load(out.read_text())
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"postprocess": block["postprocess"]}))
    assert len(read_submission(tumour_submission).postprocess) == len(block["postprocess"])


def test_without_any_label_map_it_is_usage(tmp_path):
    arguments = ["--probabilities", str(tmp_path), "--ref", str(tmp_path), "--challenge", "brats2023-gli"]
    result = CliRunner().invoke(app, ["tune", *arguments])
    assert result.exit_code == 2
    assert "no case to tune on" in result.stderr
