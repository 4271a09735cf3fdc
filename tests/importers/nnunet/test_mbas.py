import pickle
import sys
from dataclasses import make_dataclass
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest

import segcube
from segcube.backends import check_members
from segcube.core import Code, EnvironmentFault
from segcube.importers import write_imported
from segcube.importers.nnunet import import_mbas

HEART = {"background": 0, "heart": 1}
EACH = [{"labels_or_regions": label} for label in (1, 2, 3)]


@pytest.fixture
def pickled(tmp_path, monkeypatch):
    """Pickle a dataclass of this name as MBAS does, in a module that is gone when it is read."""

    def write(name, **fields):
        kind = make_dataclass(name, list(fields))
        kind.__module__ = "mbas.tasks.predict"
        with monkeypatch.context() as patched:
            for module in ("mbas", "mbas.tasks", kind.__module__):
                patched.setitem(sys.modules, module, ModuleType(module))
            setattr(sys.modules[kind.__module__], name, kind)
            (tmp_path / "model.pth").write_bytes(pickle.dumps(kind(**fields)))
        return tmp_path / "model.pth"

    return write


@pytest.fixture
def stages(made):
    """The fields of two stages; what differs."""

    def fields(**changes):
        first = made.checkpoint(outputs=2, name="3d_lowres")
        return {
            "stage1_checkpoint": first,
            "stage1_dataset": made.dataset(HEART),
            "stage1_plans": made.plans("3d_lowres"),
            "stage1_postprocessing_kwargs": [{"labels_or_regions": 1, "background_label": 0}],
            "stage2_checkpoint": made.checkpoint(),
            "stage2_dataset": made.dataset(),
            "stage2_plans": made.plans(
                is_cascaded_mask=True, cascaded_mask_dilation=2, previous_stage="3d_lowres"
            ),
            "stage2_postprocessing_kwargs": EACH,
        } | changes

    return fields


def test_a_pickle_of_two_stages_is_a_gate_before_the_last_one(pickled, stages, options, tmp_path):
    imported = import_mbas(pickled("Parameters2Stage", **stages()), options())
    submission = write_imported(imported, tmp_path / "mine", check_members)

    heart, atria = submission.stages
    assert heart.names == ("background", "heart")
    assert atria.names == ("background", "wall", "RA", "LA")
    follows = atria.follows
    assert (follows.stage, follows.as_, follows.grid) == ("3d_lowres", "gate", "branch")
    assert (follows.dilate.radius, follows.dilate.unit, follows.keep) == (2, "voxels", "largest_component")
    (rule,) = submission.postprocess
    assert (rule.labels, rule.together) == (("wall", "RA", "LA"), False)


def test_a_pickle_of_one_stage_has_no_gate(pickled, made, options):
    fields = {"checkpoint": made.checkpoint(), "dataset": made.dataset(), "plans": made.plans()}
    source = pickled(
        "Parameters1Stage",
        **fields,
        postprocessing_kwargs=[{"labels_or_regions": [1, 2, 3]}],
        skip_postprocessing=False,
    )

    submission = import_mbas(source, options()).submission

    assert [stage.follows for stage in submission.stages] == [None]
    (rule,) = submission.postprocess
    assert (rule.labels, rule.together) == (("wall", "RA", "LA"), True)


def test_postprocessing_is_skipped_if_the_pickle_skips_it(pickled, made, options):
    fields = {"checkpoint": made.checkpoint(), "dataset": made.dataset(), "plans": made.plans()}
    source = pickled("Parameters1Stage", **fields, postprocessing_kwargs=EACH, skip_postprocessing=True)

    assert import_mbas(source, options()).submission.postprocess == ()


def test_two_folders_give_the_same_stages(folder, made, options):
    before = folder(
        made.plans("3d_lowres"),
        made.dataset(HEART),
        made.checkpoint(outputs=2, name="3d_lowres"),
        name="before",
    )
    last = folder(made.plans(is_cascaded_mask=True, cascaded_mask_dilation=2))

    submission = import_mbas(last, options(), before).submission

    assert submission.stages[1].follows.keep == "largest_component"
    assert submission.postprocess[0].labels == ("wall", "RA", "LA")


def test_an_unfiltered_mask_is_used_whole(pickled, stages, options):
    source = pickled("Parameters2Stage", **stages(stage1_postprocessing_kwargs=[]))

    assert import_mbas(source, options()).submission.stages[1].follows.keep == "all"


def test_both_stages_may_be_of_one_configuration(pickled, stages, made, options):
    same = {"stage1_checkpoint": made.checkpoint(outputs=2), "stage1_plans": made.plans()}

    submission = import_mbas(pickled("Parameters2Stage", **stages(**same)), options()).submission

    assert [stage.name for stage in submission.stages] == ["3d_fullres_earlier", "3d_fullres"]


def test_postprocessing_that_is_not_known_is_refused(pickled, stages, options):
    for step in (
        {"labels_or_regions": 7},
        {"labels_or_regions": 1, "background_label": 2},
        {"others": 1},
    ):
        with pytest.raises(EnvironmentFault, match="postprocessing"):
            import_mbas(pickled("Parameters2Stage", **stages(stage2_postprocessing_kwargs=[step])), options())


def test_another_pickle_is_refused_by_what_it_holds(tmp_path, options):
    (tmp_path / "model.pth").write_bytes(pickle.dumps({"a": 1}))

    with pytest.raises(EnvironmentFault, match="holds a dict; expected Parameters2Stage or Parameters1Stage"):
        import_mbas(tmp_path / "model.pth", options())


def test_a_missing_stage_is_named(pickled, stages, options):
    fields = stages()
    del fields["stage2_plans"]

    with pytest.raises(EnvironmentFault, match="no stage2_plans"):
        import_mbas(pickled("Parameters2Stage", **fields), options())


def test_an_empty_mask_gives_an_empty_map_and_a_notice(pickled, stages, options, tmp_path):
    fields = stages()
    fields["stage1_checkpoint"]["network_weights"]["decoder.seg_layers.0.bias"][0] = 1e6
    write_imported(import_mbas(pickled("Parameters2Stage", **fields), options()), tmp_path / "mine")
    noise_xyz = np.random.default_rng(0).integers(1, 100, (20, 18, 8)).astype(np.int16)
    nib.save(nib.Nifti1Image(noise_xyz, np.diag([0.8, 0.9, 2.5, 1.0])), tmp_path / "MBAS_001_gt.nii.gz")

    prediction = segcube.load(tmp_path / "mine", device="cpu").predict(tmp_path)

    assert not prediction.labels_xyz.any()
    assert Code.EMPTY_GATE in [notice.code for notice in prediction.notices]


def test_a_fold_that_cannot_be_a_file_name_is_refused(pickled, made, options):
    checkpoint = made.checkpoint()
    checkpoint["init_args"]["fold"] = "../../evil"
    file = pickled("Parameters1Stage", checkpoint=checkpoint, plans=made.plans(), dataset=made.dataset())
    with pytest.raises(
        EnvironmentFault, match=r"model.pth: has a configuration or fold of the name '.*'; expected"
    ):
        import_mbas(file, options())


def test_a_malformed_pickle_is_refused(pickled, stages, options):
    for changes in (
        {"stage1_postprocessing_kwargs": [5]},
        {"stage1_postprocessing_kwargs": 5},
        {"stage2_postprocessing_kwargs": [{"labels_or_regions": [[]]}]},
    ):
        with pytest.raises(EnvironmentFault, match=r"model.pth: "):
            import_mbas(pickled("Parameters2Stage", **stages(**changes)), options())
