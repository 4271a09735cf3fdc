"""A model folder of MIC-DKFZ's MedNeXt, which trains within nnU-Net v1, as a submission."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault, UsageError, read_json
from segcube.importers.checkpoint.layouts import open_checkpoint
from segcube.importers.mednext.plans import PlansV1, read_plans
from segcube.importers.mednext.weights import ANCHOR, mednext_arguments, told_size, transposed_heads
from segcube.importers.names import match_channels, match_labels, match_regions
from segcube.importers.requests import Imported, Source, State, Wishes, pending
from segcube.importers.sources import choose_folds, content_of, unwrap
from segcube.spec.submission import Branch, LargestComponent, Outputs, Rule, Stage, Submission, Window

EXPECTED = "an nnU-Net v1 model folder's file"
CHECKPOINT = "model_final_checkpoint"
REGIONS_TRAINER = "BraTSRegions"
BRATS_REGIONS = ("WT", "TC", "ET")
UNMIRRORED = "noMirroring"
V1_CONNECTIVITY = 6


@dataclass(frozen=True)
class MedNeXtWishes:
    """What only this kind of import asks."""

    checkpoint: str = CHECKPOINT
    """File name in each fold, without its ending."""
    regions: tuple[str, ...] = ()
    """Names of the outputs of a network with a sigmoid a region."""


def import_mednext(folder: Path, wishes: Wishes, own: MedNeXtWishes = MedNeXtWishes()) -> Imported:
    """Read a folder with `fold_*` or `all`, each with a `.model` and its `.model.pkl`.

    Raises EnvironmentFault for a folder that is not that or holds what segcube does not have, UsageError for
    names that need an option.
    """
    folds = choose_folds(folder, wishes.folds, f"{own.checkpoint}.model")
    with content_of(folder, "nnU-Net v1"):
        return _imported(folder, folds, wishes, own)


def _imported(folder: Path, folds: Mapping[str, Path], wishes: Wishes, own: MedNeXtWishes) -> Imported:
    files = {fold: path / f"{own.checkpoint}.model" for fold, path in folds.items()}
    plans = _plans(next(iter(files.values())))
    sources = {f"mednext_{fold}.safetensors": _source(file) for fold, file in files.items()}
    first = next(iter(sources.values()))
    outputs = _outputs(folder, plans, int(str(first.arguments["out_channels"])), wishes, own)
    branch = Branch(
        channels=match_channels(plans.modalities, wishes.target.challenge, wishes.channels),
        axes=plans.axes,  # type: ignore[arg-type]
        normalize=plans.normalize(),
        spacing=plans.spacing,
        resampling=plans.resampling(),
        outputs=outputs,
        window=Window(size=plans.window, overlap=0.5, plan="nnunet", average="probabilities"),
        flips=() if UNMIRRORED in plans.trainer else ("x", "y", "z"),
        members=tuple(pending(file) for file in sources),
    )
    rules, told = _postprocess(folder, plans, outputs)
    submission = Submission(
        name=wishes.name,
        challenge=wishes.target.reference,
        licence=wishes.licence,
        citation=wishes.citation,
        stages=(Stage(name="segmentation", branches=(branch,)),),
        postprocess=rules,
    )
    notes = (
        f"The networks are {told_size(first.arguments)}, told by the shapes of their weights.",
        f"Folds: {', '.join(folds)}, averaged as probabilities.",
        f"Channels {', '.join(plans.modalities)} are {', '.join(branch.channels)}.",
        *told,
    )
    return Imported(submission, sources, wishes.target, f"nnU-Net v1 ({plans.trainer})", notes)


def _plans(file: Path) -> PlansV1:
    pickled = file.with_name(f"{file.name}.pkl")
    return read_plans(pickled, open_checkpoint(pickled))


def _source(file: Path) -> Source:
    def read() -> State:
        tree = open_checkpoint(file)
        if not isinstance(tree, dict) or "state_dict" not in tree:
            raise EnvironmentFault("holds no state_dict", file=file, expected="an nnU-Net v1 checkpoint")
        try:
            state = unwrap(tree["state_dict"], ANCHOR).state
            return transposed_heads(state, undecided="ConvTranspose3d")[0]
        except EnvironmentFault as error:
            raise EnvironmentFault(error.found, file=file, expected=error.expected) from error

    try:
        arguments = mednext_arguments(read())
    except EnvironmentFault as error:
        raise EnvironmentFault(error.found, file=error.file or file, expected=error.expected) from error
    return Source("MedNeXtV1", arguments, (file, file.with_name(f"{file.name}.pkl")), read)


def _outputs(folder: Path, plans: PlansV1, count: int, wishes: Wishes, own: MedNeXtWishes) -> Outputs:
    """Labels if there is an output for the background, else regions."""
    challenge = wishes.target.challenge
    if own.regions or REGIONS_TRAINER in plans.trainer:
        regions = own.regions or match_regions(BRATS_REGIONS, challenge)
        if len(regions) != count or not set(regions) <= set(challenge.regions):
            raise UsageError(
                f"--regions {','.join(regions)} for {count} outputs",
                expected="one for each, of " + ", ".join(challenge.regions),
            )
        return Outputs(kind="regions", names=regions)
    if count != len(plans.values) + 1:
        raise UsageError(
            f"the network has {count} outputs for {len(plans.values)} labels and the background",
            hint="if they are regions, say them with --regions",
        )
    names = match_labels(_label_names(folder, plans.values), challenge, wishes.labels)
    return Outputs(kind="labels", names=tuple(names[value] for value in (0, *plans.values)))


def _label_names(folder: Path, values: Sequence[int]) -> dict[int, str]:
    """v1 keeps the labels' names in the dataset.json of the task, which may lie beside the folds."""
    file = folder / "dataset.json"
    known = read_json(file, EnvironmentFault, EXPECTED).get("labels", {}) if file.is_file() else {}
    return {value: str(known.get(str(value), value)) for value in (0, *values)}


def _postprocess(folder: Path, plans: PlansV1, outputs: Outputs) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    file = folder / "postprocessing.json"
    if not file.is_file():
        return (), ("The source has no postprocessing.json, so nothing is removed from its labels.",)
    content: dict[str, Any] = read_json(file, EnvironmentFault, EXPECTED)
    if outputs.kind == "regions" or content.get("min_valid_object_sizes") not in (None, {}, "None"):
        return (), ("The source's postprocessing.json was left out: segcube has no such rule.",)
    joint = [part for part in content["for_which_classes"] if not isinstance(part, int)]
    if any(len(part) > 1 for part in joint):
        return (), (f"The source keeps the largest component of {joint} together; that was left out.",)
    values = [part if isinstance(part, int) else part[0] for part in content["for_which_classes"]]
    labels = tuple(outputs.names[plans.values.index(int(value)) + 1] for value in values)
    if not labels:
        return (), ()
    rule = LargestComponent(rule="largest_component", labels=labels, connectivity=V1_CONNECTIVITY)
    return (rule,), (f"The largest component is kept of {', '.join(labels)}.",)
