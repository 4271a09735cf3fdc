import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.training.run import RunFolder, plan_run

from ..run.small import request_of, write_data


def changed(file, change):
    image = nib.load(file)
    nib.save(nib.Nifti1Image(change(np.asarray(image.dataobj)), image.affine), file)


def diagnosed(tmp_path, suffix=None, change=None):
    """What `segcube diagnose` prints of a run of the small cases, whose files were changed before."""
    data = write_data(tmp_path / "data")
    for file in sorted(data.glob(f"*{suffix}.nii.gz")) if suffix else ():
        changed(file, change)
    run = RunFolder(tmp_path / "run")
    plan_run(request_of(data), run)
    return CliRunner().invoke(app, ["diagnose", str(run.root)])


def test_nothing_is_found_in_sound_data(tmp_path):
    result = diagnosed(tmp_path)
    assert (result.exit_code, result.output) == (0, "nothing found\n")


@pytest.mark.parametrize(
    ("suffix", "change", "found"),
    [
        (
            "_label",
            lambda labels_xyz: labels_xyz[::-1],
            "labels moved against the images: in 4 of 4 cases they fit",
        ),
        (
            "_gt",
            lambda image_xyz: (1 + image_xyz / 200).astype(np.int16),
            "intensities rounded: 4 images, such as",
        ),
    ],
)
def test_planted_faults_of_the_data_are_found(tmp_path, suffix, change, found):
    result = diagnosed(tmp_path, suffix, change)
    assert result.exit_code == 3
    assert found in result.output


def test_logs_of_all_folds_are_read(tmp_path):
    diagnosed(tmp_path)
    log = tmp_path / "run" / "fold_1" / "log.jsonl"
    log.parent.mkdir()
    line = '{"kind":"step","step":1,"loss":0.9,"seconds":{"forward":1}}\n'
    log.write_text(line * 150)
    result = CliRunner().invoke(app, ["diagnose", str(tmp_path / "run")])
    assert "fold_1: loss flat: from 0.900" in result.output
