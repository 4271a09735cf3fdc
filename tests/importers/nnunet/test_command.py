import shutil

import pytest
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.spec.submission import read_submission


@pytest.fixture
def bring(tmp_path):
    """Run `segcube import KIND SOURCE` with options; gives the exit code, what was told, and the folder."""

    def run(kind, source, *options):
        arguments = ["import", kind, source, "--out", tmp_path / "mine", *options]
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return done.exit_code, done.output, tmp_path / "mine"

    return run


def test_a_packed_model_folder_becomes_a_submission(bring, folder, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", folder(folds=("0", "1")).parent, "model")

    code, told, out = bring("nnunet", archive, "--challenge", "mbas2024", "--folds", "1")

    assert code == 0, told
    assert [member.file for member in read_submission(out).members] == ["3d_fullres_fold1.safetensors"]


def test_labels_are_named_by_the_option(bring, folder, made):
    source = folder(own_dataset=made.dataset({"background": 0, "a": 1, "b": 2, "c": 3}))
    refused, told, _ = bring("nnunet", source, "--challenge", "mbas2024")
    assert refused == 2
    assert "the source's labels are a, b, c" in told

    code, told, out = bring("nnunet", source, "--challenge", "mbas2024", "--labels", "RA=1,LA=2,wall=3")

    assert code == 0, told
    assert read_submission(out).stages[0].names == ("background", "RA", "LA", "wall")


def test_mbas_takes_its_two_folders(bring, folder, made):
    before = folder(
        made.plans("3d_lowres"),
        made.dataset({"background": 0, "heart": 1}),
        made.checkpoint(outputs=2, name="3d_lowres"),
        name="before",
    )
    last = folder(made.plans(is_cascaded_mask=True, cascaded_mask_dilation=2))

    code, told, out = bring("mbas", last, "--previous", before)

    assert code == 0, told
    assert [stage.name for stage in read_submission(out).stages] == ["3d_lowres", "3d_fullres"]
