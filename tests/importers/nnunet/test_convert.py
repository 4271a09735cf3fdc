import pytest

from segcube.backends import check_members
from segcube.core import EnvironmentFault, UsageError
from segcube.importers import write_imported
from segcube.importers.nnunet import import_nnunet
from segcube.spec.submission import load_for


def test_folds_become_members_that_average_in_logits(folder, wishes, tmp_path):
    imported = import_nnunet(folder(folds=("0", "1")), wishes())
    written = write_imported(imported, tmp_path / "mine", check_members)

    (stage,) = written.stages
    assert stage.merge == "logits"
    files = [member.file for member in stage.branches[0].members]
    assert files == ["3d_fullres_fold0.safetensors", "3d_fullres_fold1.safetensors"]
    assert load_for(tmp_path / "mine").submission == written


def test_the_card_tells_what_became_of_names(folder, wishes, tmp_path):
    write_imported(import_nnunet(folder(), wishes()), tmp_path / "mine")

    card = (tmp_path / "mine" / "MODEL_CARD.md").read_text()
    assert "Channels: MRI is lge." in card
    assert "3d_fullres of nnUNetPlans, trained by nnUNetTrainer on Dataset001_Made: fold 0" in card


def test_regions_are_written_as_nnunet_paints_them(folder, made, wishes):
    four = ["ZScoreNormalization"] * 4
    source = folder(
        made.plans(normalization_schemes=four, use_mask_for_norm=[True] * 4),
        made.dataset(made.tumour, [1, 2, 3], ("T1", "T1ce", "T2", "FLAIR")),
    )

    submission = import_nnunet(source, wishes("brats2023-gli")).submission

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


def test_a_cascade_joins_the_earlier_labels_as_channels(cascade, wishes, tmp_path):
    last, before = cascade()

    submission = write_imported(import_nnunet(last, wishes(), before), tmp_path / "mine", check_members)

    first, second = submission.stages
    assert second.follows.stage == first.name == "3d_lowres"
    assert second.follows.as_ == "onehot_channels"
    assert second.follows.taken(first.names) == ("wall", "RA", "LA")


def test_channels_keep_the_cascades_own_order_of_labels(cascade, made, wishes):
    last, before = cascade(made.dataset({"background": 0, "LA": 1, "RA": 2, "wall": 3}))

    first, second = import_nnunet(last, wishes(), before).submission.stages

    assert first.names == ("background", "LA", "RA", "wall")
    assert second.follows.taken(first.names) == ("wall", "RA", "LA")


def test_a_cascade_asks_for_its_earlier_stage(cascade, wishes):
    last, _ = cascade()

    with pytest.raises(UsageError, match=r"3d_cascade_fullres follows 3d_lowres.*--previous"):
        import_nnunet(last, wishes())


def test_no_other_model_follows_one(folder, wishes):
    with pytest.raises(UsageError, match="drop --previous"):
        import_nnunet(folder(), wishes(), folder(name="another"))


def test_weights_of_another_network_are_told_by_their_keys(folder, made, wishes, tmp_path):
    source = folder(saved=made.checkpoint(outputs=3))

    with pytest.raises(EnvironmentFault, match=r"of another shape: decoder\.seg_layers"):
        write_imported(import_nnunet(source, wishes()), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_trainer_s_name_adds_nothing_to_the_card(folder, made, wishes, tmp_path):
    evil = "T\n\n# Licence\n\n- **Licence:** none. <img src=x> \x1b[2J"
    place = folder(made.plans(plans_name=evil, dataset_name=evil), None, made.checkpoint(trainer_name=evil))
    write_imported(import_nnunet(place, wishes()), tmp_path / "out")
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert [line for line in card.splitlines() if line.startswith("#")] == [
        *("# mine", "## Where it came from", "## What was decided")
    ]
    assert card.count("\n- **Licence:**") == 1
    assert "\\<img src=x\\> \\\\x1b\\[2J" in card
