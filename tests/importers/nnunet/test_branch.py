from itertools import count

import pytest

from segcube.core import EnvironmentFault
from segcube.importers.nnunet.branch import branch_of
from segcube.importers.nnunet.labels import challenge_labels
from segcube.importers.nnunet.model import read_folder
from segcube.importers.write import pending

SPLINES = "resample_data_or_seg_to_shape"


@pytest.fixture
def branch(folder, made, options):
    """The branch of plans with these changes."""
    names = map(str, count())

    def read(**changes):
        model = read_folder(folder(own_plans=made.plans(**changes), name=next(names)))
        return branch_of(
            model, challenge_labels(model, options()).outputs, (pending("a.safetensors"),), options()
        )

    return read


def test_a_branch_has_the_settings_of_nnunet(branch):
    found = branch()

    assert (found.axes, found.orientation, found.crop) == ("zyx", "native", "nonzero")
    assert found.spacing == (2.5, 0.9, 0.8)
    assert found.window.model_dump() == {
        **found.window.model_dump(),
        "size": (8, 16, 16),
        "overlap": 0.5,
        "plan": "nnunet",
        "blend": "gaussian",
    }
    assert found.flips == ("z", "x")
    assert found.channels == ("lge",)


def test_transposed_plans_permute_axes_and_mirrors(branch):
    found = branch(transpose_forward=[2, 0, 1])

    assert found.axes == "xzy"
    assert found.flips == ("x", "y")


def test_the_reader_decides_the_orientation(branch):
    for reader, orientation in (
        ("SimpleITKIO", "native"),
        ("NibabelIO", "native"),
        ("NibabelIOWithReorient", "RAS"),
        ("SimpleITKIOWithReorient", "RAS"),
    ):
        assert branch(image_reader_writer=reader).orientation == orientation


def test_every_normalisation_has_its_scheme(branch):
    for name, masked, scheme, mask in (
        ("ZScoreNormalization", False, "zscore", "none"),
        ("ZScoreNormalization", True, "zscore", "foreground"),
        ("NoNormalization", False, "none", "none"),
        ("RescaleTo01Normalization", False, "rescale01", "none"),
        ("RGBTo01Normalization", True, "rgb01", "none"),
    ):
        found = branch(normalization_schemes=[name], use_mask_for_norm=[masked]).normalize_of(0)

        assert (found.scheme, found.mask) == (scheme, mask)


def test_ct_takes_the_channels_intensities(branch):
    found = branch(normalization_schemes=["CTNormalization"]).normalize_of(0)

    assert (found.scheme, found.bounds, found.mean, found.std) == ("ct", (3.0, 20.0), 10.0, 2.0)


def test_another_normalisation_is_refused_by_name(branch):
    with pytest.raises(EnvironmentFault, match="channel 0 is normalized by MyNormalization"):
        branch(normalization_schemes=["MyNormalization"])


def test_splines_keep_their_orders_and_separate_slices(branch):
    found = branch(
        resampling_fn_data_kwargs={"order": 1, "order_z": 1, "force_separate_z": True},
        resampling_fn_probabilities_kwargs={"order": 0},
    ).resampling

    assert found.spline_for("image").model_dump() == {"order": 1, "order_z": 1, "separate_z": "always"}
    assert found.spline_for("output").model_dump() == {"order": 0, "order_z": 0, "separate_z": "never"}
    assert found.spline_for("labels").model_dump() == {"order": 1, "order_z": 0, "separate_z": "auto"}
    assert found.ties == "nearest"


def test_torch_resampling_is_linear_and_gives_ties_to_the_lowest_label(branch):
    torch = {f"resampling_fn_{part}": "resample_torch_fornnunet" for part in ("data", "seg", "probabilities")}
    options = {f"{key}_kwargs": {"is_seg": False, "force_separate_z": False} for key in torch}

    found = branch(**torch, **options).resampling

    assert (found.spline_for("image").order, found.spline_for("image").separate_z) == (1, "never")
    assert found.ties == "lowest"


def test_no_resampling_keeps_the_native_grid(branch):
    none = {f"resampling_fn_{part}": "no_resampling_hack" for part in ("data", "seg", "probabilities")}

    assert branch(**none, **{f"{key}_kwargs": {} for key in none}).spacing is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"resampling_fn_data": "mine"}, "is resampled by mine"),
        ({"resampling_fn_data_kwargs": {"order": 2}}, "'order' is 2"),
        ({"resampling_fn_data_kwargs": {"separate_z_anisotropy_threshold": 2}}, "threshold"),
    ],
)
def test_unsupported_resampling_is_refused(branch, change, words):
    with pytest.raises(EnvironmentFault, match=words):
        branch(**change)
