"""Convert the preprocessing and inference settings of an nnU-Net to a branch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from segcube.core import EnvironmentFault, explain_validation_error
from segcube.importers.names import match_channels
from segcube.importers.nnunet.model import PlannedModel
from segcube.importers.nnunet.plans import ResamplingOptions
from segcube.importers.options import ImportOptions
from segcube.spec.submission import (
    Branch,
    Member,
    Normalize,
    Order,
    Outputs,
    Resampling,
    SeparateZ,
    Spline,
    Window,
)

SPLINES = "resample_data_or_seg_to_shape"
TORCH = "resample_torch_fornnunet"
NONE = "no_resampling_hack"
SEPARATE: Mapping[bool | None, SeparateZ] = {None: "auto", False: "never", True: "always"}


def branch_of(
    model: PlannedModel, outputs: Outputs, members: tuple[Member, ...], options: ImportOptions
) -> Branch:
    """Make the branch of a model.

    Raises UsageError for ambiguous channel names, EnvironmentFault for normalizations and resampling
    functions that are not part of nnU-Net.
    """
    plans, configuration = model.plans, model.configuration
    axes = plans.axes
    resampled = configuration.resampling_fn_data != NONE
    content = {
        "channels": match_channels(model.dataset.channels, options.target.challenge, options.channels),
        "axes": axes,
        "orientation": "RAS" if plans.image_reader_writer.endswith("WithReorient") else "native",
        "crop": "nonzero",
        "normalize": _normalize(model),
        "spacing": configuration.spacing if resampled else None,
        "resampling": _resampling(model),
        "outputs": outputs,
        "window": Window(size=configuration.patch_size, overlap=0.5, plan="nnunet", blend="gaussian"),
        "flips": tuple(axes[axis] for axis in model.mirror_axes),
        "members": members,
    }
    try:
        return Branch.model_validate(content)
    except ValidationError as error:
        raise EnvironmentFault(explain_validation_error(error, Branch), file=model.source) from error


def _normalize(model: PlannedModel) -> tuple[Normalize, ...]:
    configuration = model.configuration
    count = len(model.dataset.channels)
    schemes, masks = configuration.normalization_schemes, configuration.use_mask_for_norm
    if not len(schemes) == len(masks) == count:
        found = f"has {len(schemes)} normalizations and {len(masks)} masks"
        raise EnvironmentFault(found, file=model.source, expected=f"{count} each")
    return tuple(
        _scheme(model, number, *both) for number, both in enumerate(zip(schemes, masks, strict=True))
    )


def _scheme(model: PlannedModel, channel: int, name: str, masked: bool) -> Normalize:
    match name:
        case "ZScoreNormalization":
            return Normalize(scheme="zscore", mask="foreground" if masked else "none")
        case "CTNormalization":
            found = model.plans.intensities.get(str(channel))
            if found is None:
                raise EnvironmentFault(f"has no intensities of channel {channel}", file=model.source)
            bounds = (found.percentile_00_5, found.percentile_99_5)
            return Normalize(scheme="ct", mask="none", bounds=bounds, mean=found.mean, std=found.std)
        case "NoNormalization":
            return Normalize(scheme="none", mask="none")
        case "RescaleTo01Normalization":
            return Normalize(scheme="rescale01", mask="none")
        case "RGBTo01Normalization":
            return Normalize(scheme="rgb01", mask="none")
        case _:
            message = f"channel {channel} is normalized by {name}"
            expected = "ZScore, CT, No, RescaleTo01 or RGBTo01Normalization"
            raise EnvironmentFault(message, file=model.source, expected=expected)


def _resampling(model: PlannedModel) -> Resampling:
    configuration = model.configuration
    if configuration.resampling_fn_data == NONE:
        return Resampling()
    torch = configuration.resampling_fn_seg == TORCH
    return Resampling(
        image=_spline(configuration.resampling_fn_data, configuration.resampling_fn_data_kwargs, model),
        output=_spline(
            configuration.resampling_fn_probabilities, configuration.resampling_fn_probabilities_kwargs, model
        ),
        labels=_spline(configuration.resampling_fn_seg, configuration.resampling_fn_seg_kwargs, model),
        ties="lowest" if torch else "nearest",
    )


def _spline(function: str, keywords: dict[str, Any], model: PlannedModel) -> Order | Spline:
    if function not in (SPLINES, TORCH):
        expected = f"{SPLINES} or {TORCH}, or {NONE} for images"
        raise EnvironmentFault(f"is resampled by {function}", file=model.source, expected=expected)
    try:
        given = ResamplingOptions.model_validate(keywords)
    except ValidationError as error:
        found = f"{function}: {explain_validation_error(error, ResamplingOptions)}"
        raise EnvironmentFault(found, file=model.source) from error
    # If the plans leave it out, the default of the function applies
    default = None if function == TORCH else False
    separate = given.force_separate_z if "force_separate_z" in keywords else default
    order: Order = 1 if function == TORCH else given.order
    spline = Spline(order=order, order_z=given.order_z, separate_z=SEPARATE[separate])
    return order if spline == Spline(order=order) else spline
