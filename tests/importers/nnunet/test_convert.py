import shutil

import pytest
from typer.testing import CliRunner

from segcube.backends import check_members
from segcube.cli.app import app
from segcube.core import EnvironmentFault, UsageError
from segcube.importers import write_imported
from segcube.importers.nnunet import import_nnunet
from segcube.spec.submission import load_for_challenge, read_submission


def test_folds_become_members_that_average_in_logits(folder, options, tmp_path):
    imported = import_nnunet(folder(folds=("0", "1")), options())
    written = write_imported(imported, tmp_path / "mine", check_members)

    (stage,) = written.stages
    assert stage.merge == "logits"
    files = [member.file for member in stage.branches[0].members]
    assert files == ["3d_fullres_fold0.safetensors", "3d_fullres_fold1.safetensors"]
    assert load_for_challenge(tmp_path / "mine").submission == written


def test_the_card_lists_renamed_channels(folder, options, tmp_path):
    write_imported(import_nnunet(folder(), options()), tmp_path / "mine")

    card = (tmp_path / "mine" / "MODEL_CARD.md").read_text()
    assert "Channels: MRI is lge." in card
    assert "3d_fullres of nnUNetPlans, trained by nnUNetTrainer on Dataset001_Made: fold 0" in card


def test_regions_are_written_as_nnunet_paints_them(folder, made, options):
    four = ["ZScoreNormalization"] * 4
    source = folder(
        made.plans(normalization_schemes=four, use_mask_for_norm=[True] * 4),
        made.dataset(made.tumour, [1, 2, 3], ("T1", "T1ce", "T2", "FLAIR")),
    )

    submission = import_nnunet(source, options("brats2023-gli")).submission

    (rule,) = submission.postprocess
    assert [(paint.region, paint.label) for paint in rule.order] == [
        ("WT", "ED"),
        ("TC", "NCR"),
        ("ET", "ET"),
    ]
    assert submission.stages[0].branches[0].channels == ("t1n", "t1c", "t2w", "t2f")


@pytest.fixture
def cascade(folder, made):
    """The folders of a cascade's last and earlier stage; what differs in the earlier dataset."""

    def write(earlier=None):
        before = folder(
            made.plans("3d_lowres"), earlier, saved=made.checkpoint(name="3d_lowres"), name="earlier"
        )
        last = folder(
            made.plans("3d_cascade_fullres", previous_stage="3d_lowres"),
            saved=made.checkpoint(channels=4, name="3d_cascade_fullres"),
            name="last",
        )
        return last, before

    return write


def test_a_cascade_adds_the_previous_labels_as_channels(cascade, options, tmp_path):
    last, before = cascade()

    submission = write_imported(import_nnunet(last, options(), before), tmp_path / "mine", check_members)

    first, second = submission.stages
    assert second.follows.stage == first.name == "3d_lowres"
    assert second.follows.as_ == "onehot_channels"
    assert second.follows.input_names(first.names) == ("wall", "RA", "LA")


def test_channels_keep_the_cascades_own_order_of_labels(cascade, made, options):
    last, before = cascade(made.dataset({"background": 0, "LA": 1, "RA": 2, "wall": 3}))

    first, second = import_nnunet(last, options(), before).submission.stages

    assert first.names == ("background", "LA", "RA", "wall")
    assert second.follows.input_names(first.names) == ("wall", "RA", "LA")


def test_a_cascade_without_its_previous_stage_is_refused(cascade, options):
    last, _ = cascade()

    with pytest.raises(UsageError, match=r"3d_cascade_fullres is a .* follows 3d_lowres.*--previous"):
        import_nnunet(last, options())


def test_a_previous_stage_without_a_cascade_is_refused(folder, options):
    with pytest.raises(UsageError, match="drop --previous"):
        import_nnunet(folder(), options(), folder(name="another"))


def test_weights_of_another_network_are_refused_with_their_keys(folder, made, options, tmp_path):
    source = folder(saved=made.checkpoint(outputs=3))

    with pytest.raises(EnvironmentFault, match=r"of another shape: decoder\.seg_layers"):
        write_imported(import_nnunet(source, options()), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_trainer_name_cannot_add_lines_to_the_card(folder, made, options, tmp_path):
    evil = "T\n\n# Licence\n\n- **Licence:** none. <img src=x> \x1b[2J"
    place = folder(made.plans(plans_name=evil, dataset_name=evil), None, made.checkpoint(trainer_name=evil))
    write_imported(import_nnunet(place, options()), tmp_path / "out")
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert [line for line in card.splitlines() if line.startswith("#")] == [
        *("# mine", "## Where it came from", "## What was decided")
    ]
    assert card.count("\n- **Licence:**") == 1
    assert "\\<img src=x\\> \\\\x1b\\[2J" in card


@pytest.fixture
def run_import(tmp_path):
    """Run `segcube import KIND SOURCE` with options; return the exit code, the output and the folder."""

    def run(kind, source, *options):
        arguments = ["import", kind, source, "--out", tmp_path / "mine", *options]
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return done.exit_code, done.output, tmp_path / "mine"

    return run


def test_a_packed_model_folder_becomes_a_submission(run_import, folder, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", folder(folds=("0", "1")).parent, "model")

    code, output, out = run_import("nnunet", archive, "--challenge", "mbas2024", "--folds", "1")

    assert code == 0, output
    assert [member.file for member in read_submission(out).members] == ["3d_fullres_fold1.safetensors"]


def test_labels_are_named_by_the_option(run_import, folder, made):
    source = folder(own_dataset=made.dataset({"background": 0, "a": 1, "b": 2, "c": 3}))
    refused, output, _ = run_import("nnunet", source, "--challenge", "mbas2024")
    assert refused == 2
    assert "the source's labels are a, b, c" in output

    code, output, out = run_import(
        "nnunet", source, "--challenge", "mbas2024", "--labels", "RA=1,LA=2,wall=3"
    )

    assert code == 0, output
    assert read_submission(out).stages[0].names == ("background", "RA", "LA", "wall")


def test_mbas_takes_its_two_folders(run_import, folder, made):
    before = folder(
        made.plans("3d_lowres"),
        made.dataset({"background": 0, "heart": 1}),
        made.checkpoint(outputs=2, name="3d_lowres"),
        name="before",
    )
    last = folder(made.plans(is_cascaded_mask=True, cascaded_mask_dilation=2))

    code, output, out = run_import("mbas", last, "--previous", before)

    assert code == 0, output
    assert [stage.name for stage in read_submission(out).stages] == ["3d_lowres", "3d_fullres"]
