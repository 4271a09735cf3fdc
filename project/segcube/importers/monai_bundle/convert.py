"""Convert the folder of a MONAI bundle to a submission."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault
from segcube.importers.monai_bundle.config import Config, read_config, steps_of
from segcube.importers.monai_bundle.network import source_of
from segcube.importers.monai_bundle.postprocessing import Postprocessing, postprocessing_of, window_of
from segcube.importers.monai_bundle.preprocessing import preprocessing_of
from segcube.importers.names import match_channels, match_labels, match_regions
from segcube.importers.options import ImportOptions
from segcube.importers.sources import content_of
from segcube.importers.write import Imported, pending
from segcube.networks import count_channels
from segcube.spec.submission import Branch, Normalize, Outputs, Resampling, Stage, Submission

MEMBER = "model.safetensors"
FRAMEWORK = "a MONAI bundle"


def import_bundle(folder: Path, options: ImportOptions) -> Imported:
    """Convert configs/inference, configs/metadata and models/model.pt.

    Plain references are followed; an expression is refused if its value is needed. Raises EnvironmentFault
    for unsupported content, by name, and UsageError for channels and outputs that need an option.
    """
    config, metadata = read_config(folder, "inference"), read_config(folder, "metadata")
    with content_of(config.file, FRAMEWORK):
        return _imported(folder, config, metadata, options)


def _imported(folder: Path, config: Config, metadata: Config, options: ImportOptions) -> Imported:
    source = source_of(folder, config)
    channels, outputs = count_channels(source.network, source.arguments)
    before = preprocessing_of(steps_of(config, "preprocessing"), channels)
    after = postprocessing_of(steps_of(config, "postprocessing"), config)
    with content_of(metadata.file, FRAMEWORK):
        names = _definition(metadata, "inputs", channels)
        output_names = _definition(metadata, "outputs", outputs)
        reference = (metadata.content.get("references") or [None])[0]
    branch = Branch(
        channels=match_channels(tuple(names.values()), options.target.challenge, options.channels),
        axes="xyz",
        orientation=before.orientation,
        crop=before.crop,
        normalize=before.normalize or Normalize(scheme="none", mask="none"),
        spacing=before.spacing,
        resampling=before.resampling or Resampling(),
        outputs=_outputs(output_names, after, options),
        window=window_of(config),
        members=(pending(MEMBER),),
    )
    submission = Submission(
        **options.submission_fields(None if reference is None else str(reference)),
        stages=(Stage(name="segmentation", branches=(branch,)),),
        postprocess=after.rules(branch.outputs.names),
    )
    notes = (
        f"The network is a {source.network} of configs/{config.file.name}.",
        f"Channels {', '.join(branch.channels)} and outputs {', '.join(branch.outputs.names)}.",
        *before.notes,
        *after.notes,
    )
    named = " ".join(str(metadata.content.get(key, "")) for key in ("name", "version"))
    framework = f"the MONAI bundle {named}".rstrip()
    return Imported(submission, {MEMBER: source}, options.target, framework, notes)


def _outputs(names: Mapping[int, str], after: Postprocessing, options: ImportOptions) -> Outputs:
    challenge = options.target.challenge
    if after.kind == "regions":
        return Outputs(kind="regions", names=match_regions(tuple(names.values()), challenge))
    labels = match_labels(names, challenge, options.labels)
    return Outputs(kind="labels", names=tuple(labels[value] for value in names))


def _definition(metadata: Config, side: str, count: int) -> dict[int, str]:
    """Name the channels of the first input or output; by their numbers without metadata."""
    formats: Any = metadata.content.get("network_data_format", {}).get(side, {})
    first: Any = next(iter(formats.values()), {})
    known = {int(key): str(name) for key, name in first.get("channel_def", {}).items()}
    if known and sorted(known) != list(range(count)):
        found = f"{side} have a channel_def of {len(known)}"
        raise EnvironmentFault(found, file=metadata.file, expected=f"{count}, as the network has")
    return {index: known.get(index, str(index)) for index in range(count)}
