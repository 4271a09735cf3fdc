import json
from collections import OrderedDict

import pytest
import torch

from segcube import load
from segcube.core import EnvironmentFault, UsageError
from segcube.importers import ImportOptions, read_target, write_imported
from segcube.importers.mednext import MedNeXtOptions, import_mednext
from segcube.networks import build_network, load_network

from .conftest import TINY, v1_plans


@pytest.fixture
def options():
    return ImportOptions(read_target("brats2023-gli"), "imported")


def branch_of(imported):
    return imported.submission.stages[0].branches[0]


def test_a_model_folder_becomes_a_submission(v1_folder, options):
    imported = import_mednext(v1_folder(), options)
    branch = branch_of(imported)
    assert branch.channels == ("t2f", "t1n", "t1c", "t2w")
    assert (branch.axes, branch.orientation, branch.crop) == ("zyx", "native", "nonzero")
    assert {n.mask for n in branch.normalize} == {"foreground"}
    assert branch.spacing == (1, 1, 1)
    assert branch.outputs.names == ("background", "NCR", "ED", "ET")
    assert (branch.window.size, branch.window.overlap, branch.window.plan) == ((16, 32, 16), 0.5, "nnunet")
    assert branch.flips == ("x", "y", "z")
    assert [member.file for member in branch.members] == [
        "mednext_fold_0.safetensors",
        "mednext_fold_1.safetensors",
    ]
    assert imported.submission.stages[0].merge == "probabilities"


def test_the_result_predicts_as_the_networks_of_its_source(v1_folder, options, tmp_path, make_case, glioma):
    write_imported(import_mednext(v1_folder(prefix="module."), options), tmp_path / "out")
    case = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    session = load(tmp_path / "out", device="cpu")
    assert session.predict(case).labels_xyz.shape == (14, 12, 10)
    torch.manual_seed(1)
    source = build_network(
        "MedNeXtV1", {"in_channels": 4, "out_channels": 4, "deep_supervision": True, **TINY}
    )
    image = torch.randn(1, 4, 16, 16, 32)
    loaded = load_network(tmp_path / "out" / "mednext_fold_1.safetensors", None)
    with torch.inference_mode():
        assert torch.equal(loaded(image), source.eval()(image))


def test_folds_are_chosen(v1_folder):
    options = ImportOptions(read_target("brats2023-gli"), "imported", folds=("1",))
    assert list(import_mednext(v1_folder(), options).sources) == ["mednext_fold_1.safetensors"]


def test_transposed_plans_permute_the_axes(v1_folder, options):
    stage = {"patch_size": [16, 32, 48], "current_spacing": [0.5, 1.0, 2.0]}
    plans = v1_plans(transpose_forward=[1, 0, 2], plans_per_stage={0: stage})
    branch = branch_of(import_mednext(v1_folder(plans), options))
    assert (branch.axes, branch.window.size, branch.spacing) == ("yzx", (16, 32, 48), (0.5, 1, 2))


def test_normalization_schemes_are_converted(v1_folder, options):
    known = {"percentile_00_5": 1.0, "percentile_99_5": 9.0, "mean": 4.0, "sd": 2.0}
    plans = v1_plans(
        normalization_schemes=OrderedDict(enumerate(["CT", "nonCT", "noNorm", "nonCT"])),
        use_mask_for_norm=OrderedDict(enumerate([False, False, False, True])),
        dataset_properties={"intensityproperties": OrderedDict({0: known})},
    )
    schemes = branch_of(import_mednext(v1_folder(plans), options)).normalize
    assert [(n.scheme, n.mask) for n in schemes] == [
        ("ct", "none"),
        ("zscore", "none"),
        ("none", "none"),
        ("zscore", "foreground"),
    ]
    assert (schemes[0].bounds, schemes[0].mean, schemes[0].std) == ((1, 9), 4, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"preprocessor_name": "PreprocessorFor2D"}, "the preprocessor PreprocessorFor2D; expected Generic"),
        ({"normalization_schemes": OrderedDict.fromkeys(range(4), "CT2")}, "the normalization CT2"),
        ({"normalization_schemes": OrderedDict.fromkeys(range(4), "CT")}, "the normalization CT with a mask"),
        ({"plans_per_stage": {0: {"patch_size": [64, 64]}}}, "a 2D model"),
    ],
)
def test_unsupported_content_is_refused_by_name(v1_folder, options, changes, words):
    with pytest.raises(EnvironmentFault, match=words):
        import_mednext(v1_folder(v1_plans(**changes)), options)


def test_orders_of_the_export_are_kept(v1_folder, options):
    export = {"force_separate_z": True, "interpolation_order": 3, "interpolation_order_z": 1}
    plans = v1_plans(
        segmentation_export_params=export, preprocessor_name="GenericPreprocessor_linearResampling"
    )
    resampling = branch_of(import_mednext(v1_folder(plans), options)).resampling
    output = resampling.spline_for("output")
    assert (output.order, output.order_z, output.separate_z) == (3, 1, "always")
    assert (resampling.spline_for("image").order, resampling.spline_for("image").separate_z) == (1, "auto")


def test_a_trainer_without_mirrors_gets_none(v1_folder, options):
    assert branch_of(import_mednext(v1_folder(trainer="nnUNetTrainerV2_noMirroring"), options)).flips == ()


def test_regions_are_named_by_the_option_or_the_trainer(v1_folder, options):
    folder = v1_folder(trainer="nnUNetTrainerV2BraTSRegions_MedNeXt", out_channels=3)
    assert branch_of(import_mednext(folder, options)).outputs.names == ("WT", "TC", "ET")
    own = MedNeXtOptions(regions=("TC", "WT", "ET"))
    assert branch_of(import_mednext(folder, options, own)).outputs.names == ("TC", "WT", "ET")


def test_unnamed_regions_are_refused(v1_folder, options):
    with pytest.raises(UsageError, match=r"3 outputs for 3 labels and the background; .*--regions"):
        import_mednext(v1_folder(out_channels=3), options)


def test_labels_without_names_are_refused_with_both_lists(v1_folder, options):
    folder = v1_folder()
    (folder / "dataset.json").unlink()
    with pytest.raises(UsageError, match=r"labels are 1, 2, 3; expected .* NCR, ED, ET"):
        import_mednext(folder, options)


def test_postprocessing_of_single_labels_is_kept(v1_folder, options):
    folder = v1_folder()
    (folder / "postprocessing.json").write_text(json.dumps({"for_which_classes": [1, [3]]}))
    (rule,) = import_mednext(folder, options).submission.postprocess
    assert (rule.rule, rule.labels, rule.connectivity) == ("largest_component", ("NCR", "ET"), 6)


def test_a_folder_of_another_kind_is_refused(tmp_path, options):
    with pytest.raises(UsageError, match=r"no model_final_checkpoint.model of any fold"):
        import_mednext(tmp_path, options)


def test_another_network_is_refused(v1_folder, options):
    folder = v1_folder()
    for fold in ("fold_0", "fold_1"):
        torch.save(
            {"state_dict": {"conv.weight": torch.ones(1)}}, folder / fold / "model_final_checkpoint.model"
        )
    with pytest.raises(
        EnvironmentFault, match=r"model_final_checkpoint.model: the prefixes of stem.weight are none"
    ):
        import_mednext(folder, options)


@pytest.mark.parametrize("plans", [v1_plans(modalities=None), v1_plans(all_classes="abc")])
def test_malformed_plans_are_refused(v1_folder, options, plans):
    with pytest.raises(
        EnvironmentFault, match=r"model.pkl: an entry is missing or of another type: .* nnU-Net v1"
    ):
        import_mednext(v1_folder(plans, folds=("fold_0",)), options)


@pytest.mark.parametrize(("name", "content"), [("dataset.json", "[]"), ("postprocessing.json", '{"a": 1}')])
def test_a_malformed_document_is_refused(v1_folder, options, name, content):
    folder = v1_folder(folds=("fold_0",))
    (folder / name).write_text(content)
    with pytest.raises(EnvironmentFault, match=f"{name}: an entry is missing or of another type"):
        import_mednext(folder, options)
