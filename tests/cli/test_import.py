"""The commands of `segcube import` on small sources, as a user types them."""

import json
import zipfile

import pytest
import torch
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.networks import build_network
from segcube.spec.submission import load_for_challenge

from ..importers.originals import original_state


def run(*arguments):
    return CliRunner().invoke(app, ["import", *map(str, arguments)])


@pytest.fixture
def checkpoint(tmp_path):
    def write(name, seed):
        state = {f"model.{key}": value for key, value in original_state(seed).items()}
        torch.save({"state_dict": state, "hyper_parameters": {"roi_size": [32, 32, 48]}}, tmp_path / name)
        return tmp_path / name

    return write


def test_every_kind_has_its_help():
    output = run("--help").output
    for kind in ("lightning", "mednext", "monai-bundle"):
        assert kind in output
        assert run(kind, "--help").exit_code == 0


def test_lightning_checkpoints_become_a_submission(tmp_path, checkpoint):
    files = [checkpoint("a.ckpt", 0), checkpoint("b.ckpt", 1)]
    result = run(
        *("lightning", *files, "--out", tmp_path / "weights", "--challenge", "brats2024-ssa"),
        *(
            "--member-weights",
            "1,0,0.5",
            "--member-weights",
            "1",
            "--filter",
            "validation",
            "--licence",
            "CC-BY-4.0",
        ),
    )
    assert result.exit_code == 0, result.output
    assert "2 members, for brats2024-ssa" in result.output
    assert "next: segcube check submission " in result.output
    assert "a.ckpt: weights are those of the state_dict, as last saved." in result.output
    submission = load_for_challenge(tmp_path / "weights").submission
    assert submission.licence == "CC-BY-4.0"
    assert submission.members[0].weight == {"TC": 1, "WT": 0, "ET": 0.5}
    assert submission.stages[0].branches[0].window.size == (32, 32, 48)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--window", "128,128"], "--window '128,128'; expected 3 numbers"),
        (["--member-weights", "1,x"], "--member-weights '1,x'; expected numbers"),
        (["--window", "30,32,32"], "cannot take windows of (30, 32, 32)"),
        (["--overlap", "2"], "overlap"),
        (["--regions", "TC,WT"], "3 outputs for the regions TC, WT"),
    ],
)
def test_invalid_options_leave_no_files(tmp_path, checkpoint, options, words):
    file = checkpoint("a.ckpt", 0)
    result = run("lightning", file, "--out", tmp_path / "w", "--challenge", "brats2024-ssa", *options)
    assert result.exit_code in (2, 5)
    assert words in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_an_invalid_submission_name_is_refused(tmp_path, checkpoint):
    file = checkpoint("a.ckpt", 0)
    result = run("lightning", file, "--out", tmp_path / "my weights", "--challenge", "brats2024-ssa")
    assert result.exit_code == 2
    assert "does not become a valid submission: 'name' is 'my weights'" in result.output


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    import os

    class Calls:
        def __reduce__(self):
            return (os.system, (f"touch '{tmp_path / 'it ran'}'",))

    torch.save({"state_dict": Calls()}, tmp_path / "a.ckpt")
    result = run("lightning", tmp_path / "a.ckpt", "--out", tmp_path / "w", "--challenge", "brats2024-ssa")
    assert result.exit_code == 5
    assert "a.ckpt: holds the name posix.system" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_bundle_may_be_an_archive(tmp_path):
    arguments = {
        "init_filters": 8,
        "in_channels": 4,
        "out_channels": 3,
        "blocks_down": [1, 1],
        "blocks_up": [1],
    }
    zscore = {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True}
    config = {
        "network_def": {"_target_": "SegResNet", **arguments},
        "preprocessing": [zscore],
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": 16},
        "postprocessing": [{"_target_": "Activationsd", "keys": "pred", "sigmoid": True}],
    }
    names = {"inputs": ["T1c", "T1", "T2", "FLAIR"], "outputs": ["TC", "WT", "ET"]}
    formats = {side: {"x": {"channel_def": dict(enumerate(names[side]))}} for side in names}
    torch.save(build_network("SegResNet", arguments).state_dict(), tmp_path / "model.pt")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("bundle/configs/inference.json", json.dumps(config))
        archive.writestr("bundle/configs/metadata.json", json.dumps({"network_data_format": formats}))
        archive.write(tmp_path / "model.pt", "bundle/models/model.pt")
    out = tmp_path / "weights"
    result = run("monai-bundle", tmp_path / "bundle.zip", "--out", out, "--challenge", "brats2024-ssa")
    assert result.exit_code == 0, result.output
    assert load_for_challenge(out).submission.members[0].file == "model.safetensors"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.zip", "model.pt", "weights"]
