import numpy as np
import pytest
import torch

from segcube import load
from segcube.core import EnvironmentFault, UsageError
from segcube.importers import ImportOptions, read_target, write_imported
from segcube.importers.lightning import LightningOptions, import_lightning

from ..originals import original_answer, original_state

KEY = "brats2023-gli"


@pytest.fixture
def options():
    return ImportOptions(read_target(KEY), "imported")


def branch_of(imported):
    return imported.submission.stages[0].branches[0]


def test_a_checkpoint_becomes_a_submission(checkpoint, options):
    branch = branch_of(import_lightning([checkpoint("epoch=99.ckpt")], options))
    assert branch.channels == ("t2f", "t1n", "t1c", "t2w")
    assert (branch.axes, branch.intensity.cast, branch.crop) == ("xyz", "int16_abs", "nonzero")
    assert (branch.normalize.scheme, branch.normalize.mask) == ("zscore", "nonzero")
    assert (branch.outputs.kind, branch.outputs.names) == ("regions", ("TC", "WT", "ET"))
    assert (branch.window.size, branch.window.plan) == ((128, 128, 128), "monai")
    assert branch.flips == ("x", "y", "z")
    assert [member.file for member in branch.members] == ["epoch_99.safetensors"]


def reference(states, weights, image_cxyz, size):
    """The ensemble by MONAI's sliding window: 8 mirrors of the whole volume, then sigmoid, then the mean."""
    from monai.inferers import sliding_window_inference

    image = torch.from_numpy(image_cxyz)[None]
    total = torch.zeros(1, 3, *image.shape[2:])
    share = torch.tensor(weights)[:, None, :, None, None, None]
    for state, say in zip(states, share, strict=True):
        logits = torch.zeros_like(total)
        for mirror in np.ndindex(2, 2, 2):
            axes = [axis + 2 for axis in range(3) if mirror[axis]]
            out = sliding_window_inference(
                image.flip(axes),
                size,
                1,
                lambda x, state=state: original_answer(state, x),
                0.5,
                mode="gaussian",
            )
            logits += out.flip(axes) / 8
        total += torch.sigmoid(logits) * say
    return (total / share.sum(0))[0].numpy()


def prepared(case):
    """BraTS-UGRIP's preprocessing, by hand."""
    import nibabel as nib

    files = [next(case.glob(f"*-{channel}.nii.gz")) for channel in ("t2f", "t1n", "t1c", "t2w")]
    image = np.stack([np.abs(nib.load(file).get_fdata().astype(np.int16)) for file in files]).astype(
        np.float32
    )
    places = np.argwhere(image.any(axis=0))
    box = tuple(slice(a, b) for a, b in zip(places.min(0), places.max(0) + 1, strict=True))
    image = image[(slice(None), *box)]
    for channel in image:
        values = channel[channel != 0]
        channel[channel != 0] = (values - values.mean()) / values.std()
    return image, box


def test_an_ensemble_gives_the_answers_of_its_source(checkpoint, options, tmp_path, make_case, glioma):
    size, weights = (16, 32, 16), [[1.0, 0.0, 0.5], [1.0, 1.0, 1.0]]
    files = [checkpoint(f"m{seed}.ckpt", seed, prefix="model." * (1 + seed)) for seed in (0, 1)]
    own = LightningOptions(window=size, weights=tuple(map(tuple, weights)))
    write_imported(import_lightning(files, options, own), tmp_path / "out")
    case = make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000", shape=(22, 36, 12))
    image_cxyz, box = prepared(case)
    with torch.inference_mode():
        tc, wt, et = reference([original_state(0), original_state(1)], weights, image_cxyz, size) > 0.5
    labels = {name: glioma.labels[name] for name in ("NCR", "ED", "ET")}
    tc, wt = tc | et, wt | tc | et
    wanted = np.zeros((22, 36, 12), dtype=int)
    wanted[box] = np.where(et, labels["ET"], np.where(tc, labels["NCR"], np.where(wt, labels["ED"], 0)))
    assert len(np.unique(wanted)) == 4
    found = load(tmp_path / "out", device="cpu").predict(case).labels_xyz
    np.testing.assert_array_equal(found, wanted)


def test_several_checkpoints_weigh_a_region_each(checkpoint, options):
    files = [checkpoint("a.ckpt", 0), checkpoint("b.ckpt", 1)]
    own = LightningOptions(weights=((1, 0, 0.5), (2,)))
    members = branch_of(import_lightning(files, options, own)).members
    assert [member.weight for member in members] == [{"TC": 1, "WT": 0, "ET": 0.5}, 2]


def test_a_folder_gives_all_its_checkpoints(checkpoint, options):
    folder = [checkpoint("a=1.ckpt"), checkpoint("a 1.ckpt")][0].parent
    members = branch_of(import_lightning([folder], options)).members
    assert [member.file for member in members] == ["a_1.safetensors", "a_1_1.safetensors"]


def test_weights_that_do_not_fit_are_refused(checkpoint, options):
    for weights in (
        ((1,),),
        ((1, 2), (1,)),
        ((1,), (1,), (1,)),
    ):
        files = [checkpoint("a.ckpt", 0), checkpoint("b.ckpt", 1)]
        with pytest.raises(UsageError, match=r"--member-weights 1.*; expected one for each of 2"):
            import_lightning(files, options, LightningOptions(weights=weights))


@pytest.mark.parametrize(
    "settings", [{"roi_size": [128, 160, 112]}, {"model": {"patch_size": (128, 160, 112)}}]
)
def test_the_window_is_that_of_the_hyper_parameters(checkpoint, options, settings):
    file = checkpoint("a.ckpt", settings=settings)
    assert branch_of(import_lightning([file], options)).window.size == (128, 160, 112)
    own = LightningOptions(window=(64, 64, 64))
    assert branch_of(import_lightning([file], options, own)).window.size == (64, 64, 64)


def test_hyper_parameters_that_disagree_need_a_window(checkpoint, options):
    files = [checkpoint(f"{side}.ckpt", settings={"roi_size": side}) for side in (96, 128)]
    with pytest.raises(UsageError, match="--window"):
        import_lightning(files, options)


def test_options_change_what_comes_before_and_after(checkpoint, options):
    own = LightningOptions(mirroring=False, cast=False, percentiles=(2, 98), blend="constant", overlap=0.25)
    branch = branch_of(import_lightning([checkpoint("a.ckpt")], options, own))
    assert (branch.flips, branch.intensity.cast, branch.crop) == ((), None, "positive")
    assert (branch.normalize.scheme, branch.normalize.percentiles) == ("none", (2, 98))
    assert (branch.window.blend, branch.window.overlap) == ("constant", 0.25)


def test_component_filters_keep_what_holds_an_inner_object(checkpoint, options):
    own = LightningOptions(filter="challenge")
    rules = import_lightning([checkpoint("a.ckpt")], options, own).submission.postprocess
    kept = {rule.region: rule for rule in rules if rule.rule == "keep_components"}
    assert {name: rule.min_voxels for name, rule in kept.items()} == {"ET": 100, "TC": 150, "WT": 500}
    assert {rule.max_count for rule in kept.values()} == {10}
    assert kept["ET"].unless_holds is None
    assert (kept["TC"].unless_holds.region, kept["WT"].unless_holds.region) == ("ET", "TC")
    assert [rule.rule for rule in rules] == [
        *("keep_components", "keep_components", "nest", "keep_components", "nest")
    ]


def test_a_filter_of_regions_without_bounds_is_refused(checkpoint):
    glioma = ImportOptions(read_target("brats2024-gli"), "imported")
    own = LightningOptions(filter="validation", regions=("TC", "WT", "RC"))
    with pytest.raises(
        UsageError, match="--filter validation for the regions TC, WT, RC; expected the regions TC"
    ):
        import_lightning([checkpoint("a.ckpt")], glioma, own)
    imported = import_lightning([checkpoint("a.ckpt")], glioma, LightningOptions(regions=own.regions))
    assert imported.submission.postprocess == ()


def test_entries_of_the_trainer_are_skipped_and_noted(checkpoint, options):
    imported = import_lightning([checkpoint("a.ckpt", extra={"loss.weight": torch.ones(1)})], options)
    assert any("loss.weight" in note for note in imported.notes)
    assert "loss.weight" not in next(iter(imported.sources.values())).read()


def test_two_networks_need_a_prefix(checkpoint, options):
    extra = {f"ema.{key}": tensor for key, tensor in original_state(5).items()}
    file = checkpoint("a.ckpt", extra=extra)
    with pytest.raises(EnvironmentFault, match=r"a.ckpt: the prefixes of stem.weight are 'model.', 'ema.'"):
        import_lightning([file], options)
    imported = import_lightning([file], options, LightningOptions(prefix="ema."))
    state = next(iter(imported.sources.values())).read()
    assert torch.equal(state["stem.weight"], original_state(5)["stem.weight"])


def test_outputs_without_a_region_are_refused(checkpoint, options):
    with pytest.raises(UsageError, match="1 outputs for the regions TC, WT, ET"):
        import_lightning([checkpoint("a.ckpt", outputs=1)], options)


def test_other_channels_need_names(checkpoint, options):
    file = checkpoint("a.ckpt", channels=2)
    with pytest.raises(UsageError, match=r"channels are 0, 1; expected .* t1c, t1n, t2f, t2w; name them"):
        import_lightning([file], options)


def test_what_is_no_lightning_checkpoint_is_refused(tmp_path, options):
    torch.save({"weights": {}}, tmp_path / "a.ckpt")
    with pytest.raises(EnvironmentFault, match="holds no state_dict; expected a checkpoint of Lightning"):
        import_lightning([tmp_path / "a.ckpt"], options)


def test_a_folder_without_checkpoints_is_refused(tmp_path, options):
    with pytest.raises(EnvironmentFault, match="holds no checkpoint"):
        import_lightning([tmp_path], options)


def test_members_have_names_of_their_own(checkpoint, options):
    """The name that a repeated one gets may be another checkpoint's already."""
    files = [checkpoint(name) for name in ("a/best.ckpt", "best_1.ckpt", "b/best.ckpt")]
    members = [member.file for member in branch_of(import_lightning(files, options)).members]
    assert members == ["best.safetensors", "best_1.safetensors", "best_2.safetensors"]
