import nibabel as nib
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.core import UsageError
from segcube.tools.tune import TuneRequest, read_inputs
from segcube.tools.tune.objective import CaseObjective

CASE = "BraTS-GLI-00001-000"


@pytest.fixture
def infer(tmp_path, tumour_submission, make_case, glioma):
    """Predict one case and keep its probabilities; gives the label map."""
    make_case(tmp_path / "data", glioma, CASE, seed=3)

    def run(*options):
        arguments = ["--data_path", tmp_path / "data", "--output_path", tmp_path / "maps", "--device", "cpu"]
        arguments += ["--weights", tumour_submission, "--save-probabilities", tmp_path / "saved", *options]
        result = CliRunner().invoke(app, ["infer", *map(str, arguments)])
        assert result.exit_code == 0, result.stderr
        return nib.load(tmp_path / "maps" / f"{CASE}.nii.gz")

    return run


def change(submission, edit):
    file = submission / "submission.yaml"
    content = yaml.safe_load(file.read_text())
    edit(content)
    file.write_text(yaml.safe_dump(content))


def bounds_that_float16_would_miss(saved):
    """A bound for each region that some probability passes, and would not if it were rounded to float16."""
    with np.load(saved) as content:
        for name, values_xyz in zip(content["names"], content["probabilities_kxyz"], strict=True):
            values = values_xyz[values_xyz > 0.1]
            yield str(name), float(np.float16(values[values > values.astype(np.float16)][0]))


@pytest.mark.parametrize("options", [(), ("--each-member",)], ids=["merged", "each member"])
def test_the_baseline_is_the_map_that_infer_writes(infer, tmp_path, tumour_submission, glioma, options):
    infer()
    at = dict(bounds_that_float16_would_miss(tmp_path / "saved" / f"{CASE}.npz"))
    threshold = {"rule": "threshold", "at": at}
    change(tumour_submission, lambda content: content["postprocess"].insert(0, threshold))
    image = infer(*options)
    found_xyz = np.asarray(image.dataobj)
    # A reference from corner to corner, so that no voxel is cut off
    reference_xyz = found_xyz.copy()
    reference_xyz[0, 0, 0] = reference_xyz[-1, -1, -1] = glioma.labels["ED"]
    (tmp_path / "ref").mkdir()
    nib.save(nib.Nifti1Image(reference_xyz, image.affine), tmp_path / "ref" / f"{CASE}-seg.nii.gz")
    inputs = read_inputs(TuneRequest(tmp_path / "saved", tmp_path / "ref", weights=tumour_submission))
    assert len(inputs.space.members) == (2 if options else 0)
    objective = CaseObjective(inputs.cases[0], glioma, lambda *_: 0.0)
    labels_xyz = objective.labels(inputs.space.rules_at(inputs.space.start), inputs.space.weights)
    assert len(np.unique(found_xyz)) > 1
    np.testing.assert_array_equal(labels_xyz, found_xyz)


def test_probabilities_that_other_weights_made_are_refused(infer, tmp_path, tumour_submission):
    image = infer("--each-member")
    (tmp_path / "ref").mkdir()
    nib.save(image, tmp_path / "ref" / f"{CASE}-seg.nii.gz")

    def reweigh(content):
        content["stages"][0]["branches"][0]["members"][0]["weight"] = 9.0

    change(tumour_submission, reweigh)
    with pytest.raises(UsageError, match=r"differ by up to .*save them again"):
        read_inputs(TuneRequest(tmp_path / "saved", tmp_path / "ref", weights=tumour_submission))
