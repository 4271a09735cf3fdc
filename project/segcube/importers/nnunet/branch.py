"""An nnU-Net's preprocessing and inference settings as a branch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from segcube.core import EnvironmentFault, explain
from segcube.importers.names import match_channels
from segcube.importers.nnunet.model import Model
from segcube.importers.nnunet.plans import READERS, ResamplingOptions
from segcube.importers.requests import Wishes
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

STORED = "zyx"
"""nnU-Net's readers give arrays in this order, whatever wrote the file."""
SPLINES = "resample_data_or_seg_to_shape"
TORCH = "resample_torch_fornnunet"
NONE = "no_resampling_hack"
SEPARATE: Mapping[bool | None, SeparateZ] = {None: "auto", False: "never", True: "always"}


def branch_of(model: Model, outputs: Outputs, members: tuple[Member, ...], wishes: Wishes) -> Branch:
    """The branch of a model.

    Raises UsageError where the channels' names are not plain, EnvironmentFault for normalisations and
    resampling functions that nnU-Net does not bring.
    """
    plans, configuration = model.plans, model.configuration
    axes = "".join(STORED[axis] for axis in plans.transpose_forward)
    resampled = configuration.resampling_fn_data != NONE
    content = {
        "channels": match_channels(model.dataset.channels, wishes.target.challenge, wishes.channels),
        "axes": axes,
        "orientation": READERS[plans.image_reader_writer],
        "crop": "nonzero",
        "normalize": _normalize(model),
        "spacing": configuration.spacing if resampled else None,
        "resampling": _resampling(model),
        "outputs": outputs,
        "window": Window(size=configuration.patch_size, overlap=0.5, plan="nnunet", blend="gaussian"),
        "flips": tuple(axes[axis] for axis in model.mirrors),
        "members": members,
    }
    try:
        return Branch.model_validate(content)
    except ValidationError as error:
        raise EnvironmentFault(explain(error, Branch), file=model.source) from error


def _normalize(model: Model) -> tuple[Normalize, ...]:
    configuration = model.configuration
    count = len(model.dataset.channels)
    schemes, masks = configuration.normalization_schemes, configuration.use_mask_for_norm
    if not len(schemes) == len(masks) == count:
        raise EnvironmentFault(
            f"{len(schemes)} normalisations and {len(masks)} masks",
            file=model.source,
            expected=f"{count} each",
        )
    return tuple(
        _scheme(model, number, *both) for number, both in enumerate(zip(schemes, masks, strict=True))
    )


def _scheme(model: Model, channel: int, name: str, masked: bool) -> Normalize:
    match name:
        case "ZScoreNormalization":
            return Normalize(scheme="zscore", mask="foreground" if masked else "none")
        case "CTNormalization":
            found = model.plans.intensities.get(str(channel))
            if found is None:
                raise EnvironmentFault(f"no intensities of channel {channel}", file=model.source)
            bounds = (found.percentile_00_5, found.percentile_99_5)
            return Normalize(scheme="ct", mask="none", bounds=bounds, mean=found.mean, std=found.std)
        case "NoNormalization":
            return Normalize(scheme="none", mask="none")
        case "RescaleTo01Normalization":
            return Normalize(scheme="rescale01", mask="none")
        case "RGBTo01Normalization":
            return Normalize(scheme="rgb01", mask="none")
        case _:
            raise EnvironmentFault(
                f"channel {channel} is normalised by {name}",
                file=model.source,
                expected="ZScore, CT, No, RescaleTo01 or RGBTo01Normalization",
            )


def _resampling(model: Model) -> Resampling:
    configuration = model.configuration
    if configuration.resampling_fn_data == NONE:
        return Resampling()
    torch = configuration.resampling_fn_seg == TORCH
    return Resampling(
        image=_way(configuration.resampling_fn_data, configuration.resampling_fn_data_kwargs, model),
        output=_way(
            configuration.resampling_fn_probabilities, configuration.resampling_fn_probabilities_kwargs, model
        ),
        labels=_way(configuration.resampling_fn_seg, configuration.resampling_fn_seg_kwargs, model),
        ties="lowest" if torch else "nearest",
    )


def _way(function: str, options: dict[str, Any], model: Model) -> Order | Spline:
    if function not in (SPLINES, TORCH):
        raise EnvironmentFault(
            f"resampling by {function}",
            file=model.source,
            expected=f"{SPLINES} or {TORCH}, or {NONE} for images",
        )
    try:
        said = ResamplingOptions.model_validate(options)
    except ValidationError as error:
        told = explain(error, ResamplingOptions)
        raise EnvironmentFault(f"{function}: {told}", file=model.source) from error
    # Where the plans leave it out, the function's own default counts
    default = None if function == TORCH else False
    separate = said.force_separate_z if "force_separate_z" in options else default
    order: Order = 1 if function == TORCH else said.order
    way = Spline(order=order, order_z=said.order_z, separate_z=SEPARATE[separate])
    return order if way == Spline(order=order) else way
