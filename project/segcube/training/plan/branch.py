"""The branch of a plan: channels, outputs, normalization and windows."""

from __future__ import annotations

from segcube.core import Shape, UsageError
from segcube.spec.challenges import BACKGROUND, Challenge
from segcube.spec.submission import Branch, Member, Normalize, Outputs, Window
from segcube.training.plan.fingerprint import Fingerprint
from segcube.training.plan.grid import TrainingGrid
from segcube.training.plan.intensities import Intensities
from segcube.training.plan.schema import PLACEHOLDER, PLACEHOLDER_SHA256
from segcube.training.recipes import Recipe

MASKED_SHARE = 0.75
"""Where cropping leaves less than this share of a median case, nnU-Net normalizes within a mask."""
SCHEMES = {
    "ct": "ct",
    "nonorm": "none",
    "rescale_to_0_1": "rescale01",
    "rgb_to_0_1": "rgb01",
}
"""Normalization by a channel's name, as nnU-Net's channel_names set it; zscore for all others."""
FEWEST_LEVELS = 16.0
"""Whole numbers between a channel's 0.5th and 99.5th percentile; with fewer, a cast to integers loses it."""


def outputs_of(challenge: Challenge, recipe: Recipe) -> Outputs:
    """Choose what the network outputs: regions that are scored or written, or all labels by their values.

    auto chooses regions where two of them share a label.
    """
    regions = scored_regions(challenge)
    kind = recipe.preprocessing.outputs
    if recipe.preprocessing.union is not None:
        kind = "regions"
    if kind == "auto":
        members = [label for region in regions for label in challenge.regions[region]]
        kind = "labels" if len(set(members)) == len(members) else "regions"
    if kind == "regions":
        return Outputs(kind="regions", names=regions)
    labels = sorted(challenge.labels, key=lambda name: challenge.labels[name])
    return Outputs(kind="labels", names=tuple(labels))


def scored_regions(challenge: Challenge) -> tuple[str, ...]:
    """Return the regions that are scored or written."""
    written = {paint.region for paint in challenge.write}
    return tuple(name for name in challenge.regions if name in challenge.scored or name in written)


def count_classes(outputs: Outputs) -> int:
    """Labels or regions with the background, as nnU-Net counts them."""
    return len(outputs.names) + (BACKGROUND not in outputs.names)


def make_branch(
    grid: TrainingGrid, fingerprint: Fingerprint, challenge: Challenge, recipe: Recipe, patch: Shape
) -> Branch:
    """Make the branch that cases are prepared by, with a placeholder as its only member.

    patch: in the branch's order of axes. Raises UsageError for intensities that the preprocessing destroys,
    and for a CT channel without labelled voxels to take its statistics from.
    """
    is_brats = recipe.preprocessing.kind == "brats-ugrip"
    if is_brats:
        _check_integers(fingerprint, recipe)
    return Branch(
        channels=challenge.channel_names,
        axes=grid.axes,
        orientation=grid.orientation,
        # Absolute values after cropping to nonzero voxels: what BraTS-UGRIP crops to, those above 0
        intensity={"cast": "int16_abs" if is_brats else None},  # type: ignore[arg-type]
        crop="nonzero",
        normalize=Normalize() if is_brats else _normalize(fingerprint),
        spacing=grid.spacing,
        outputs=outputs_of(challenge, recipe),
        window=Window(size=patch, overlap=recipe.overlap, plan="monai" if is_brats else "nnunet"),
        # A window of one slice is its own mirror image across it
        flips=tuple(axis for axis in recipe.mirrors if not (patch[0] == 1 and axis == grid.axes[0])),
        members=(Member(file=PLACEHOLDER, sha256=PLACEHOLDER_SHA256),),
    )


def _normalize(fingerprint: Fingerprint) -> Normalize | tuple[Normalize, ...]:
    """nnU-Net's normalization: by channel name, within the foreground where cropping removes a lot."""
    is_masked = fingerprint.cropped_share < MASKED_SHARE
    schemes = tuple(
        _normalize_channel(fingerprint, number, is_masked) for number in range(len(fingerprint.channels))
    )
    return schemes[0] if len(set(map(repr, schemes))) == 1 else schemes


def _normalize_channel(fingerprint: Fingerprint, number: int, is_masked: bool) -> Normalize:
    channel = fingerprint.channels[number]
    scheme = SCHEMES.get(channel.casefold(), "zscore")
    if scheme == "zscore":
        return Normalize(scheme="zscore", mask="foreground" if is_masked else "none")
    if scheme != "ct":
        return Normalize(scheme=scheme, mask="none")  # type: ignore[arg-type]
    found = fingerprint.intensities[number] if fingerprint.intensities else None
    if found is None or found.percentile_00_5 >= found.percentile_99_5:
        message = (
            f"channel {channel} has {'no' if found is None else 'constant'} intensities in labelled voxels"
        )
        raise UsageError(message, expected="labelled voxels of several intensities, to normalize CT by")
    bounds = found.percentile_00_5, found.percentile_99_5
    return Normalize(scheme="ct", mask="none", bounds=bounds, mean=found.mean, std=found.std)


def _check_integers(fingerprint: Fingerprint, recipe: Recipe) -> None:
    for channel, found in zip(fingerprint.channels, fingerprint.intensities, strict=False):
        if not _fits_int16(found):
            message = (
                f"recipe {recipe.name} casts intensities to int16; channel {channel} has intensities from "
                f"{found.min:g} to {found.max:g} in labelled voxels, 99 % of them from "
                f"{found.percentile_00_5:g} to {found.percentile_99_5:g}"
            )
            expected = f"at least {FEWEST_LEVELS:g} whole numbers within -32767 to 32767"
            hint = "use preprocessing.kind: nnunet in a recipe that inherits from it"
            raise UsageError(message, expected=expected, hint=hint)


def _fits_int16(found: Intensities) -> bool:
    levels = found.percentile_99_5 - found.percentile_00_5
    return levels >= FEWEST_LEVELS and max(abs(found.min), abs(found.max)) <= 32767
