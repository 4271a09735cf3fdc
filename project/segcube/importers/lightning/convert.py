"""Convert Lightning checkpoints of a MedNeXt v1, as BraTS-UGRIP trains them, to one ensemble."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault, Shape, UsageError
from segcube.importers.checkpoint.objects import plain
from segcube.importers.lightning.averages import average_of, has_average
from segcube.importers.lightning.settings import (
    CHANNELS,
    UGRIP,
    WINDOW,
    LightningOptions,
    component_rules,
    patch_in,
)
from segcube.importers.mednext.weights import (
    ANCHOR,
    describe_size,
    mednext_arguments,
    open_state_dict,
    transposed_heads,
)
from segcube.importers.names import match_channels, match_regions
from segcube.importers.options import ImportOptions
from segcube.importers.sources import faults_of, network_entries
from segcube.importers.write import Imported, Source, State, pending
from segcube.spec.submission import Branch, Member, Normalize, Outputs, Stage, Submission, Window

SUFFIX = ".ckpt"


@dataclass(frozen=True)
class _Checkpoint:
    """One member of the ensemble."""

    source: Source
    patch: Shape | None
    notes: tuple[str, ...]


def import_lightning(
    paths: Sequence[Path], options: ImportOptions, settings: LightningOptions = UGRIP
) -> Imported:
    """Convert .ckpt files, or all those of a folder, to an ensemble in this order.

    Raises EnvironmentFault for files that are no Lightning checkpoint of a MedNeXt v1, UsageError for
    weights, regions or channels that do not fit.
    """
    found = [_read(file, settings) for path in paths for file in _files(path)]
    regions = match_regions(settings.regions, options.target.challenge)
    rules = component_rules(settings.filter, regions)
    branch = _branch(found, regions, options, settings)
    submission = Submission(
        **options.submission_fields(),
        stages=(Stage(name="tumour", branches=(branch,)),),
        postprocess=rules,
    )
    sources = {
        member.file: checkpoint.source for member, checkpoint in zip(branch.members, found, strict=True)
    }
    return Imported(submission, sources, options.target, "Lightning", _notes(found, branch, settings))


def _files(path: Path) -> list[Path]:
    files = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not files:
        raise EnvironmentFault("holds no checkpoint", file=path, expected=f"files that end in {SUFFIX}")
    return files


def _read(file: Path, settings: LightningOptions) -> _Checkpoint:
    tree = open_state_dict(file, "Lightning")
    state, notes = _weights(tree, file, settings)
    with faults_of(file):
        arguments = mednext_arguments(state)

    def read() -> State:
        return _weights(open_state_dict(file, "Lightning"), file, settings)[0]

    patch = patch_in(plain(tree.get("hyper_parameters", {})))
    notes = (f"{file.name}: {describe_size(arguments)}, {notes[0]}", *notes[1:])
    return _Checkpoint(Source("MedNeXtV1", arguments, (file,), read), patch, notes)


def _weights(
    tree: Mapping[str, Any], file: Path, settings: LightningOptions
) -> tuple[State, tuple[str, ...]]:
    """Select the weights by the options, with the names and heads of `MedNeXtV1`; return them with notes."""
    with faults_of(file):
        hint = "choose one of them with --prefix"
        entries = network_entries(tree["state_dict"], ANCHOR, settings.prefix, hint)
        if settings.weights_of == "average":
            state, origin = average_of(tree, entries, file)
        else:
            more = "; --weights-of average takes the schedule-free average instead"
            state, origin = entries.state, "those of the state_dict, as last saved"
            origin += more if has_average(tree) else ""
        state, heads = transposed_heads(state)
    described = f"with the prefix '{entries.prefix}' and {heads} heads."
    return state, (described, f"{file.name}: weights are {origin}.", *entries.notes())


def _branch(
    found: Sequence[_Checkpoint], regions: tuple[str, ...], options: ImportOptions, settings: LightningOptions
) -> Branch:
    counts = {(one.source.arguments["in_channels"], one.source.arguments["out_channels"]) for one in found}
    if len(counts) > 1:
        raise UsageError(
            f"the checkpoints have {sorted(map(str, counts))} input and output channels",
            expected="the same counts in one ensemble",
        )
    channels, outputs = map(int, map(str, counts.pop()))
    if outputs != len(regions):
        message = f"the networks have {outputs} outputs for the regions {', '.join(regions)}"
        expected = "one output for each region"
        raise UsageError(message, expected=expected, hint="name the regions with --regions")
    names = CHANNELS if channels == len(CHANNELS) else tuple(map(str, range(channels)))
    normalize = Normalize()
    if settings.percentiles:
        # BraTS-UGRIP applies the z-score first; the percentiles select the same voxels with or without it
        normalize = Normalize(scheme="none", percentiles=settings.percentiles)
    return Branch(
        channels=match_channels(names, options.target.challenge, options.channels),
        axes="xyz",
        intensity={"cast": "int16_abs" if settings.cast else None},  # type: ignore[arg-type]
        # BraTS-UGRIP crops to values above 0, which are the nonzero ones among absolute values
        crop="nonzero" if settings.cast else "positive",
        normalize=normalize,
        outputs=Outputs(kind="regions", names=regions),
        window=Window(
            size=_window(found, settings), overlap=settings.overlap, plan="monai", blend=settings.blend
        ),
        flips=("x", "y", "z") if settings.mirroring else (),
        members=_members(found, regions, settings),
    )


def _window(found: Sequence[_Checkpoint], settings: LightningOptions) -> Shape:
    patches = {one.patch for one in found if one.patch}
    if settings.window is None and len(patches) > 1:
        message = f"the checkpoints were trained on patches of {', '.join(map(str, sorted(patches)))}"
        raise UsageError(message, expected="one window for all", hint="set it with --window")
    return settings.window or (patches.pop() if patches else WINDOW)


def _members(
    found: Sequence[_Checkpoint], regions: tuple[str, ...], settings: LightningOptions
) -> tuple[Member, ...]:
    weights = settings.weights or ((1.0,),) * len(found)
    if len(weights) != len(found) or any(len(numbers) not in (1, len(regions)) for numbers in weights):
        message = f"--member-weights {' '.join(','.join(f'{w:g}' for w in numbers) for numbers in weights)}"
        expected = f"one for each of {len(found)} checkpoints, with 1 or {len(regions)} numbers each"
        raise UsageError(message, expected=expected)
    members: dict[str, Member] = {}
    for one, numbers in zip(found, weights, strict=True):
        stem = re.sub(r"[^A-Za-z0-9.-]+", "_", one.source.files[0].stem)
        names = (f"{stem}_{number}" if number else stem for number in count())
        file = next(f"{name}.safetensors" for name in names if f"{name}.safetensors" not in members)
        weight = numbers[0] if len(numbers) == 1 else dict(zip(regions, numbers, strict=True))
        members[file] = pending(file, weight)
    return tuple(members.values())


def _notes(found: Sequence[_Checkpoint], branch: Branch, settings: LightningOptions) -> tuple[str, ...]:
    size = " x ".join(map(str, branch.window.size))
    origin = "BraTS-UGRIP"
    if settings.window or any(one.patch for one in found):
        origin = "the option" if settings.window else "the hyper-parameters"
    return (
        *(note for one in found for note in one.notes),
        f"Windows of {size}, by {origin}; {branch.window.blend} blend, overlap {branch.window.overlap:g}.",
        f"Channels {', '.join(branch.channels)} to {', '.join(branch.outputs.names)}, in this order.",
        f"Component filter: {settings.filter}.",
    )
