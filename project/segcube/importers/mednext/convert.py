"""Convert a model folder of MIC-DKFZ's MedNeXt, which trains in nnU-Net v1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault, UsageError, read_json
from segcube.importers.checkpoint.reader import open_checkpoint
from segcube.importers.mednext.plans import PlansV1, read_plans
from segcube.importers.mednext.weights import (
    ANCHOR,
    describe_size,
    mednext_arguments,
    open_state_dict,
    transposed_heads,
)
from segcube.importers.names import match_channels, match_labels, match_regions
from segcube.importers.options import ImportOptions
from segcube.importers.sources import choose_folds, content_of, faults_of, network_entries
from segcube.importers.write import Imported, Source, State, pending
from segcube.spec.submission import Branch, LargestComponent, Outputs, Rule, Stage, Submission, Window

FRAMEWORK = "nnU-Net v1"
EXPECTED = f"a file of an {FRAMEWORK} model folder"
CHECKPOINT = "model_final_checkpoint"
REGIONS_TRAINER = "BraTSRegions"
BRATS_REGIONS = ("WT", "TC", "ET")
UNMIRRORED = "noMirroring"
V1_CONNECTIVITY = 6


@dataclass(frozen=True)
class MedNeXtOptions:
    """Options of this kind of import."""

    checkpoint: str = CHECKPOINT
    """File name in each fold, without its suffix."""
    regions: tuple[str, ...] = ()
    """The outputs of a network with one sigmoid for each region."""


def import_mednext(
    folder: Path, options: ImportOptions, settings: MedNeXtOptions = MedNeXtOptions()
) -> Imported:
    """Convert a folder with `fold_*` or `all`, each with a `.model` and its `.model.pkl`.

    Raises EnvironmentFault for another kind of folder and unsupported settings, UsageError for names that
    need an option.
    """
    files = tuple(choose_folds(folder, options.folds, f"{settings.checkpoint}.model").values())
    pickled = files[0].with_name(f"{files[0].name}.pkl")
    with content_of(pickled, FRAMEWORK):
        plans = read_plans(pickled, open_checkpoint(pickled))
        return _imported(folder, files, plans, options, settings)


def _imported(
    folder: Path, files: Sequence[Path], plans: PlansV1, options: ImportOptions, settings: MedNeXtOptions
) -> Imported:
    sources = {f"mednext_{file.parent.name}.safetensors": _source(file) for file in files}
    first = next(iter(sources.values()))
    outputs = _outputs(folder, plans, int(str(first.arguments["out_channels"])), options, settings)
    branch = Branch(
        channels=match_channels(plans.modalities, options.target.challenge, options.channels),
        axes=plans.axes,  # type: ignore[arg-type]
        normalize=plans.normalize(),
        spacing=plans.spacing,
        resampling=plans.resampling(),
        outputs=outputs,
        window=Window(size=plans.window, overlap=0.5, plan="nnunet", average="probabilities"),
        flips=() if UNMIRRORED in plans.trainer else ("x", "y", "z"),
        members=tuple(pending(file) for file in sources),
    )
    rules, notes = _postprocess(folder, plans, outputs)
    submission = Submission(
        **options.submission_fields(),
        stages=(Stage(name="segmentation", branches=(branch,)),),
        postprocess=rules,
    )
    decisions = (
        f"The networks are {describe_size(first.arguments)}, by the shapes of their weights.",
        f"Folds: {', '.join(file.parent.name for file in files)}, averaged as probabilities.",
        f"Channels {', '.join(plans.modalities)} are {', '.join(branch.channels)}.",
        *notes,
    )
    return Imported(submission, sources, options.target, f"{FRAMEWORK} ({plans.trainer})", decisions)


def _source(file: Path) -> Source:
    def read() -> State:
        state = open_state_dict(file, FRAMEWORK)["state_dict"]
        with faults_of(file):
            return transposed_heads(network_entries(state, ANCHOR).state, undecided="ConvTranspose3d")[0]

    with faults_of(file):
        arguments = mednext_arguments(read())
    return Source("MedNeXtV1", arguments, (file, file.with_name(f"{file.name}.pkl")), read)


def _outputs(
    folder: Path, plans: PlansV1, count: int, options: ImportOptions, settings: MedNeXtOptions
) -> Outputs:
    """Name the outputs: labels if one is the background, else regions."""
    challenge = options.target.challenge
    if settings.regions or REGIONS_TRAINER in plans.trainer:
        regions = settings.regions or match_regions(BRATS_REGIONS, challenge)
        if len(regions) != count or not set(regions) <= set(challenge.regions):
            found = f"--regions {','.join(regions)} for {count} outputs"
            raise UsageError(found, expected="one for each output, of " + ", ".join(challenge.regions))
        return Outputs(kind="regions", names=regions)
    if count != len(plans.values) + 1:
        found = f"the network has {count} outputs for {len(plans.values)} labels and the background"
        expected, hint = f"{len(plans.values) + 1} outputs", "if they are regions, name them with --regions"
        raise UsageError(found, expected=expected, hint=hint)
    # The task's dataset.json may be beside the folds; without it the values are the names
    file = folder / "dataset.json"
    with content_of(file, FRAMEWORK):
        known = read_json(file, EnvironmentFault, EXPECTED).get("labels", {}) if file.is_file() else {}
        found = {value: str(known.get(str(value), value)) for value in (0, *plans.values)}
    names = match_labels(found, challenge, options.labels)
    return Outputs(kind="labels", names=tuple(names[value] for value in found))


def _postprocess(folder: Path, plans: PlansV1, outputs: Outputs) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    file = folder / "postprocessing.json"
    if not file.is_file():
        return (), ("The source has no postprocessing.json: its labels are not filtered.",)
    with content_of(file, FRAMEWORK):
        return _largest(file, plans, outputs)


def _largest(file: Path, plans: PlansV1, outputs: Outputs) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    content: dict[str, Any] = read_json(file, EnvironmentFault, EXPECTED)
    if outputs.kind == "regions" or content.get("min_valid_object_sizes") not in (None, {}, "None"):
        return (), ("The source's postprocessing.json was skipped: segcube has no such rule.",)
    joint = [part for part in content["for_which_classes"] if not isinstance(part, int)]
    if any(len(part) > 1 for part in joint):
        return (), (f"The source keeps the largest component of {joint} together; this was skipped.",)
    values = [part if isinstance(part, int) else part[0] for part in content["for_which_classes"]]
    labels = tuple(outputs.names[plans.values.index(int(value)) + 1] for value in values)
    if not labels:
        return (), ()
    rule = LargestComponent(rule="largest_component", labels=labels, connectivity=V1_CONNECTIVITY)
    return (rule,), (f"Only the largest component of {', '.join(labels)} is kept.",)
