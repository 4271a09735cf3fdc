"""Lightning checkpoints of a MedNeXt v1, as BraTS-UGRIP trains them, as one ensemble."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault, Shape, UsageError
from segcube.importers.checkpoint.inert import Inert, plain
from segcube.importers.checkpoint.layouts import open_checkpoint
from segcube.importers.lightning.averages import average_of, has_average
from segcube.importers.lightning.settings import (
    CHANNELS,
    UGRIP,
    WINDOW,
    LightningWishes,
    component_rules,
    patch_in,
)
from segcube.importers.mednext.weights import ANCHOR, mednext_arguments, told_size, transposed_heads
from segcube.importers.names import match_channels, match_regions
from segcube.importers.requests import Imported, Source, State, Wishes, pending
from segcube.importers.sources import Unwrapped, unwrap
from segcube.spec.submission import Branch, Member, Normalize, Outputs, Stage, Submission, Window

ENDING = ".ckpt"


@dataclass(frozen=True)
class _Checkpoint:
    file: Path
    source: Source
    patch: Shape | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Weights:
    """A checkpoint's network."""

    state: State
    heads: str
    prefix: str
    chosen: str
    """Which of a checkpoint's weights these are, in words."""
    notes: tuple[str, ...]


def import_lightning(paths: Sequence[Path], wishes: Wishes, own: LightningWishes = UGRIP) -> Imported:
    """Read .ckpt files, or all those of a folder; several are one ensemble, in their order.

    Raises EnvironmentFault for files that are no Lightning checkpoint of a MedNeXt v1, UsageError for
    weights, regions or channels that do not fit.
    """
    found = [_read(file, own) for path in paths for file in _files(path)]
    regions = match_regions(own.regions, wishes.target.challenge)
    rules = component_rules(own.filter, regions)
    branch = _branch(found, regions, wishes, own)
    submission = Submission(
        name=wishes.name,
        challenge=wishes.target.reference,
        licence=wishes.licence,
        citation=wishes.citation,
        stages=(Stage(name="tumour", branches=(branch,)),),
        postprocess=rules,
    )
    sources = {
        member.file: checkpoint.source for member, checkpoint in zip(branch.members, found, strict=True)
    }
    return Imported(submission, sources, wishes.target, "Lightning", _notes(found, branch, own))


def _files(path: Path) -> list[Path]:
    files = sorted(path.rglob(f"*{ENDING}")) if path.is_dir() else [path]
    if not files:
        raise EnvironmentFault("holds no checkpoint", file=path, expected=f"files that end in {ENDING}")
    return files


def _read(file: Path, own: LightningWishes) -> _Checkpoint:
    tree = _tree(file)
    weights = _weights(tree, file, own)
    try:
        arguments = mednext_arguments(weights.state)
    except EnvironmentFault as error:
        raise EnvironmentFault(error.found, file=file, expected=error.expected) from error

    def read() -> State:
        return _weights(_tree(file), file, own).state

    patch = patch_in(plain(tree.get("hyper_parameters", {})))
    network = f"{file.name}: {told_size(arguments)}, behind '{weights.prefix}', with {weights.heads} heads."
    notes = (network, f"{file.name}: weights are {weights.chosen}.", *weights.notes)
    return _Checkpoint(file, Source("MedNeXtV1", arguments, (file,), read), patch, notes)


def _weights(tree: dict[str, Any], file: Path, own: LightningWishes) -> _Weights:
    """The weights that the options ask for, under our network's names and in its layout of heads."""
    unwrapped = _unwrapped(tree, file, own.prefix)
    if own.weights_of == "average":
        state, chosen = average_of(tree, unwrapped, file)
    else:
        more = "; --weights-of average takes the schedule-free average instead" if has_average(tree) else ""
        state, chosen = unwrapped.state, f"those of the state_dict, as last saved{more}"
    try:
        state, heads = transposed_heads(state)
    except EnvironmentFault as error:
        raise EnvironmentFault(error.found, file=file, expected=error.expected) from error
    return _Weights(state, heads, unwrapped.prefix, chosen, unwrapped.notes())


def _tree(file: Path) -> dict[str, Any]:
    tree = open_checkpoint(file)
    if isinstance(tree, Inert) or not isinstance(tree, dict) or "state_dict" not in tree:
        raise EnvironmentFault("holds no state_dict", file=file, expected="a Lightning checkpoint")
    return tree


def _unwrapped(tree: dict[str, Any], file: Path, prefix: str | None) -> Unwrapped:
    try:
        return unwrap(tree["state_dict"], ANCHOR, prefix)
    except EnvironmentFault as error:
        raise EnvironmentFault(error.found, file=file, expected=error.expected, hint=error.hint) from error


def _branch(
    found: Sequence[_Checkpoint], regions: tuple[str, ...], wishes: Wishes, own: LightningWishes
) -> Branch:
    channels, outputs = _counts(found)
    if outputs != len(regions):
        raise UsageError(
            f"the networks have {outputs} outputs for the regions {', '.join(regions)}",
            expected="a region each",
            hint="say them with --regions",
        )
    names = CHANNELS if channels == len(CHANNELS) else tuple(map(str, range(channels)))
    scheme = Normalize()
    if own.percentiles:
        # Percentiles keep their voxels through the z-score before them, so that it leaves no trace
        scheme = Normalize(scheme="none", percentiles=own.percentiles)
    return Branch(
        channels=match_channels(names, wishes.target.challenge, wishes.channels),
        axes="xyz",
        intensity={"cast": "int16_abs" if own.cast else None},  # type: ignore[arg-type]
        # BraTS-UGRIP crops to what lies above 0; behind absolute values that is what differs from 0
        crop="nonzero" if own.cast else "positive",
        normalize=scheme,
        outputs=Outputs(kind="regions", names=regions),
        window=Window(size=_window(found, own), overlap=own.overlap, plan="monai", blend=own.blend),
        flips=("x", "y", "z") if own.flips else (),
        members=_members(found, regions, own),
    )


def _counts(found: Sequence[_Checkpoint]) -> tuple[int, int]:
    """Channels in and out, the same for all."""
    counts = {
        (int(str(one.source.arguments["in_channels"])), int(str(one.source.arguments["out_channels"])))
        for one in found
    }
    if len(counts) > 1:
        raise UsageError(
            f"the checkpoints take and give {sorted(counts)} channels", expected="one ensemble of equals"
        )
    return counts.pop()


def _window(found: Sequence[_Checkpoint], own: LightningWishes) -> Shape:
    patches = {one.patch for one in found if one.patch}
    if own.window is None and len(patches) > 1:
        raise UsageError(
            f"the checkpoints were trained on {', '.join(map(str, sorted(patches)))}",
            expected="one window for all",
            hint="say it with --window",
        )
    return own.window or (patches.pop() if patches else WINDOW)


def _members(
    found: Sequence[_Checkpoint], regions: tuple[str, ...], own: LightningWishes
) -> tuple[Member, ...]:
    says = own.weights or ((1.0,),) * len(found)
    if len(says) != len(found) or any(len(say) not in (1, len(regions)) for say in says):
        raise UsageError(
            f"--weights {' '.join(','.join(f'{w:g}' for w in say) for say in says)}",
            expected=f"one for each of {len(found)} checkpoints, with 1 or {len(regions)} numbers each",
        )
    files: dict[str, float | dict[str, float]] = {}
    for one, say in zip(found, says, strict=True):
        stem = re.sub(r"[^A-Za-z0-9.-]+", "_", one.file.stem)
        names = chain([stem], (f"{stem}_{number}" for number in count(1)))
        name = next(name for name in names if f"{name}.safetensors" not in files)
        files[f"{name}.safetensors"] = say[0] if len(say) == 1 else dict(zip(regions, say, strict=True))
    return tuple(pending(file, weight) for file, weight in files.items())


def _notes(found: Sequence[_Checkpoint], branch: Branch, own: LightningWishes) -> tuple[str, ...]:
    said = own.window or any(one.patch for one in found)
    size = " x ".join(map(str, branch.window.size))
    origin = "the option" if own.window else "the hyper-parameters" if said else "BraTS-UGRIP"
    return (
        *(note for one in found for note in one.notes),
        f"Windows of {size}, by {origin}; {branch.window.blend} blend, overlap {branch.window.overlap:g}.",
        f"Channels {', '.join(branch.channels)} to {', '.join(branch.outputs.names)}, in this order.",
        f"Component filter: {own.filter}.",
    )
