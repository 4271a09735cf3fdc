import nibabel as nib
import numpy as np
import pytest
import torch

from segcube import load
from segcube.core import EnvironmentFault, UsageError
from segcube.importers import ImportOptions, read_target, write_imported
from segcube.importers.monai_bundle import import_bundle

from .conftest import inference


@pytest.fixture
def options():
    return ImportOptions(read_target("brats2023-gli"), "imported")


def branch_of(imported):
    return imported.submission.stages[0].branches[0]


def with_preprocessing(*transforms):
    return inference(preprocessing={"_target_": "Compose", "transforms": list(transforms)})


def with_postprocessing(*transforms):
    return inference(postprocessing={"_target_": "Compose", "transforms": list(transforms)})


def test_a_bundle_becomes_a_submission(bundle, options):
    imported = import_bundle(bundle(), options)
    branch = branch_of(imported)
    assert branch.channels == ("t1c", "t1n", "t2w", "t2f")
    assert (branch.outputs.kind, branch.outputs.names) == ("regions", ("TC", "WT", "ET"))
    assert (branch.orientation, branch.crop, branch.spacing, branch.flips) == ("native", "none", None, ())
    assert (branch.normalize.scheme, branch.normalize.mask) == ("zscore", "nonzero")
    assert (branch.window.size, branch.window.overlap) == ((16, 16, 16), 0.5)
    assert (branch.window.plan, branch.window.blend) == ("monai", "constant")
    assert imported.framework == "the MONAI bundle BraTS MRI segmentation 0.5.2"


def test_the_answers_are_those_of_monai(bundle, options, tmp_path, make_case, glioma):
    from monai.inferers import SlidingWindowInferer
    from monai.networks.nets import SegResNet
    from monai.transforms import NormalizeIntensity

    folder = bundle()
    write_imported(import_bundle(folder, options), tmp_path / "out")
    case = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000", shape=(22, 19, 12))
    files = [next(case.glob(f"*-{channel}.nii.gz")) for channel in ("t1c", "t1n", "t2w", "t2f")]
    image = np.stack([nib.load(file).get_fdata(dtype=np.float32) for file in files])
    definition = inference()["network_def"]
    network = SegResNet(**{key: value for key, value in definition.items() if key != "_target_"}).eval()
    network.load_state_dict(torch.load(folder / "models" / "model.pt", weights_only=True))
    image = NormalizeIntensity(nonzero=True, channel_wise=True)(torch.from_numpy(image))[None]
    with torch.inference_mode():
        logits = SlidingWindowInferer(roi_size=(16, 16, 16), overlap=0.5)(image, network)
    tc, wt, et = (torch.sigmoid(logits)[0] > 0.5).numpy()
    labels = glioma.labels
    wanted = np.where(et, labels["ET"], np.where(tc, labels["NCR"], np.where(wt, labels["ED"], 0)))
    assert len(np.unique(wanted)) > 2
    found = load(tmp_path / "out", device="cpu").predict(case).labels_xyz
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"model": state},
        lambda state: {"state_dict": {f"module.{key}": tensor for key, tensor in state.items()}},
    ],
)
def test_wrapped_weights_are_found(bundle, options, wrap):
    folder = bundle(wrap=wrap)
    (source,) = import_bundle(folder, options).sources.values()
    assert "convInit.conv.weight" in source.read()


CT = {
    "a_min": -100,
    "a_max": 300,
    "b_min": 0.0,
    "b_max": 1.0,
    "clip": True,
}


def test_transforms_are_converted(bundle, options):
    config = with_preprocessing(
        {"_target_": "monai.transforms.LoadImaged", "keys": "image"},
        {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
        {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"},
        {"_target_": "Spacingd", "keys": "image", "pixdim": [1.5, 1.5, 2.0], "mode": "bilinear"},
        {"_target_": "ScaleIntensityRanged", "keys": "image", **CT},
        {"_target_": "EnsureTyped", "keys": "image"},
    )
    branch = branch_of(import_bundle(bundle(config), options))
    assert (branch.orientation, branch.crop, branch.spacing) == ("RAS", "positive", (1.5, 1.5, 2))
    way = branch.resampling
    assert (way.spline_for("image").order, way.spline_for("image").separate_z, way.normalize) == (
        1,
        "never",
        "after",
    )
    scheme = branch.normalize
    assert (scheme.scheme, scheme.bounds, scheme.mean, scheme.std) == ("ct", (-100, 300), -100, 400)


def test_a_softmax_gives_labels_and_keeps_the_largest(bundle):
    config = with_postprocessing(
        {"_target_": "Activationsd", "keys": "pred", "softmax": True},
        {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
        {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": [1, 3]},
    )
    config["network_def"] = {
        "_target_": "monai.networks.nets.UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 4,
        "channels": [2, 4],
        "strides": [2],
        "num_res_units": 1,
        "norm": "batch",
    }
    arguments = {"in_channels": 1, "out_channels": 4, "features": [2, 4], "strides": [2], "num_res_units": 1}
    network = ("UNet", {**arguments, "norm": "batch"})
    names = ("background", "RA cavity", "LA cavity", "wall")
    folder = bundle(config, inputs=("LGE",), outputs=names, network=network)
    imported = import_bundle(folder, ImportOptions(read_target("mbas2024"), "imported"))
    assert branch_of(imported).outputs.names == ("background", "RA", "LA", "wall")
    (rule,) = imported.submission.postprocess
    assert (rule.rule, rule.labels) == ("largest_component", ("RA", "wall"))


def test_another_threshold_is_kept(bundle, options):
    config = with_postprocessing(
        {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
        {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.4},
    )
    (rule,) = import_bundle(bundle(config), options).submission.postprocess
    assert rule.at == {"TC": 0.4, "WT": 0.4, "ET": 0.4}


def test_a_disabled_transform_is_left_out(bundle, options):
    config = with_preprocessing({"_target_": "RandFlipd", "keys": "image", "_disabled_": True})
    assert branch_of(import_bundle(bundle(config), options)).normalize.scheme == "none"


Z = {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True, "channel_wise": True}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            with_preprocessing({"_target_": "GaussianSmoothd"}),
            r"preprocessing::transforms::0 is GaussianSmooth",
        ),
        (with_preprocessing({**Z, "channel_wise": False}), r"NormalizeIntensity with .*channel_wise true"),
        (with_preprocessing({**Z, "subtrahend": [1, 2, 3, 4]}), r"statistics of the image itself"),
        (
            with_preprocessing({**Z, "nonzero": "$1 > 0"}),
            r"nonzero is the expression '\$1 > 0', which is not evaluated",
        ),
        (with_preprocessing({**Z, "nonzero": "@nothing"}), r"refers to @nothing, which is missing"),
        (with_preprocessing(Z, Z), r"one normalization"),
        (with_preprocessing({"_target_": "CropForegroundd", "select_fn": "$lambda x: x > 9"}), r"select_fn"),
        (with_preprocessing("$os.system('true')"), r"is the expression"),
        (with_postprocessing({"_target_": "FillHolesd"}), r"neither Activations nor argmax"),
        (inference(inferer={"_target_": "SimpleInferer"}), r"the inferer is SimpleInferer"),
        (
            inference(inferer={"_target_": "SlidingWindowInferer", "roi_size": [16, 16]}),
            r"roi_size \[16, 16\]",
        ),
        (
            inference(
                inferer={"_target_": "SlidingWindowInferer", "roi_size": 16, "padding_mode": "reflect"}
            ),
            r"padding_mode 'reflect'.*; expected padding_mode 'constant'",
        ),
        (
            inference(network_def={"_target_": "monai.networks.nets.DiNTS"}),
            r"the network monai.networks.nets.DiNTS",
        ),
        (inference(network_def={"_target_": "SegResNet", "depth": 3}), r"unknown key 'depth'"),
        (inference(sides="@sides"), r"refers to itself"),
    ],
)
def test_unsupported_content_is_refused_by_name(bundle, options, config, words):
    with pytest.raises(EnvironmentFault, match=rf"inference.json: .*{words}"):
        import_bundle(bundle(config), options)


def test_nothing_of_the_configuration_is_run(bundle, options, tmp_path):
    marker = tmp_path / "it ran"
    text = f"$__import__('pathlib').Path({str(marker)!r}).touch()"
    import_bundle(bundle(inference(initialize=[text], run=[text], imports=[text], device=text)), options)
    assert not marker.exists()


def test_unknown_names_are_refused(bundle, options):
    with pytest.raises(UsageError, match=r"regions are left, right, both; expected .* WT"):
        import_bundle(bundle(outputs=("left", "right", "both")), options)


def test_a_channel_def_of_another_length_is_refused(bundle, options):
    with pytest.raises(EnvironmentFault, match=r"metadata.json: outputs have a channel_def of 2; expected 3"):
        import_bundle(bundle(outputs=("Tumor core", "Whole tumor")), options)


def test_missing_weights_are_refused(bundle, options):
    folder = bundle()
    (folder / "models" / "model.pt").unlink()
    with pytest.raises(EnvironmentFault, match=r"model.pt: no such file; .*large_files.yml"):
        import_bundle(folder, options)


def test_a_folder_of_another_kind_is_refused(tmp_path, options):
    with pytest.raises(EnvironmentFault, match="the folder of a MONAI bundle"):
        import_bundle(tmp_path, options)


def test_a_configuration_may_be_yaml(bundle, options):
    import yaml

    folder = bundle()
    (folder / "configs" / "inference.json").unlink()
    (folder / "configs" / "inference.yaml").write_text(yaml.safe_dump(inference()))
    assert branch_of(import_bundle(folder, options)).window.size == (16, 16, 16)


@pytest.mark.parametrize(
    "config",
    [
        with_preprocessing({"_target_": "Spacingd", "pixdim": ["a", 1, 1]}),
        inference(inferer={"_target_": "SlidingWindowInferer", "roi_size": 1.5}),
    ],
)
def test_an_entry_of_another_type_is_refused(bundle, options, config):
    with pytest.raises(EnvironmentFault):
        import_bundle(bundle(config), options)


def test_malformed_metadata_is_refused(bundle, options):
    folder = bundle()
    (folder / "configs" / "metadata.json").write_text('{"network_data_format": 5}')
    with pytest.raises(EnvironmentFault, match=r"metadata.json: an entry is missing or of another type"):
        import_bundle(folder, options)
