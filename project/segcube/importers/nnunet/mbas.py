"""Convert the two-stage models of anenbergb/MBAS, on nnU-Net v2 plans: one pickle, or two model folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault
from segcube.importers.checkpoint.objects import StoredObject, plain
from segcube.importers.checkpoint.reader import open_checkpoint
from segcube.importers.nnunet.convert import Keep, import_stages
from segcube.importers.nnunet.dataset import Dataset
from segcube.importers.nnunet.labels import challenge_labels
from segcube.importers.nnunet.model import Model, read_folder, read_model, state_of
from segcube.importers.nnunet.plans import Checkpoint, Plans, read_part
from segcube.importers.options import ImportOptions
from segcube.importers.sources import content_of
from segcube.importers.write import Imported, State
from segcube.spec.submission import LargestComponent

FRAMEWORK = "anenbergb/MBAS (nnU-Net v2 plans)"
ONE_STAGE, TWO_STAGES = "Parameters1Stage", "Parameters2Stage"
LABELS = "labels_or_regions"


def import_mbas(
    source: Path, options: ImportOptions, previous: Path | None = None, checkpoint: str = "final"
) -> Imported:
    """Convert MBAS's pickled parameters, or the model folder of its last stage.

    previous: the model folder of the first stage. Folders keep the largest component of the first stage and
    of each label of the last one; a pickle defines its own postprocessing. checkpoint: final or best, for
    folders. Raises EnvironmentFault for broken or unsupported sources, UsageError for ambiguous names.
    """
    if source.is_file():
        with content_of(source, "anenbergb/MBAS"):
            return _import_pickle(source, options)
    model = read_folder(source, options.folds, checkpoint)
    before = read_folder(previous, options.folds, checkpoint) if previous else None
    rule = LargestComponent(rule="largest_component", labels=challenge_labels(model, options).labels)
    return replace(import_stages(model, before, options, rules=(rule,)), framework=FRAMEWORK)


def _import_pickle(file: Path, options: ImportOptions) -> Imported:
    content = open_checkpoint(file)
    kind = content.name.rpartition(".")[2] if isinstance(content, StoredObject) else type(content).__name__
    if kind not in (ONE_STAGE, TWO_STAGES):
        expected = f"{TWO_STAGES} or {ONE_STAGE}, as MBAS pickles them"
        raise EnvironmentFault(f"holds a {kind}", file=file, expected=expected)
    if kind == ONE_STAGE:
        model = _model(content, "", file)
        steps = [] if content.fields.get("skip_postprocessing") else _steps(content, "")
        imported = import_stages(model, None, options, rules=_rules(model, steps, options))
    else:
        before, model = _model(content, "stage1_", file), _model(content, "stage2_", file)
        rules = _rules(model, _steps(content, "stage2_"), options)
        imported = import_stages(model, before, options, _keep(before, _steps(content, "stage1_")), rules)
    return replace(imported, framework=FRAMEWORK)


def _model(content: StoredObject, prefix: str, file: Path) -> Model:
    parts = [f"{prefix}{part}" for part in ("checkpoint", "plans", "dataset")]
    missing = [part for part in parts if part not in content.fields]
    if missing:
        raise EnvironmentFault(f"has no {', '.join(missing)}", file=file, expected="the parameters of MBAS")
    saved = read_part(Checkpoint, content.fields[parts[0]], file)
    plans = read_part(Plans, plain(content.fields[parts[1]]), file)
    dataset = read_part(Dataset, plain(content.fields[parts[2]]), file)

    def load(file: Path) -> State:
        return state_of(read_part(Checkpoint, open_checkpoint(file).fields[parts[0]], file))

    return read_model(saved, plans, dataset, file, {str(saved.init_args.fold): file}, load)


def _steps(content: StoredObject, prefix: str) -> Sequence[Mapping[str, Any]]:
    return content.fields.get(f"{prefix}postprocessing_kwargs") or ()


def _keep(model: Model, steps: Sequence[Mapping[str, Any]]) -> Keep:
    """Read how the mask of the first stage is filtered: not at all, or to its largest component."""
    found = {value for step in steps for value in _values(step, model)}
    if found and found != set(model.dataset.label_names):
        message = f"the first stage keeps the largest component of {sorted(found)}"
        raise EnvironmentFault(message, file=model.source, expected="of its whole mask, or none")
    return "largest_component" if steps else "all"


def _rules(
    model: Model, steps: Sequence[Mapping[str, Any]], options: ImportOptions
) -> tuple[LargestComponent, ...]:
    """Convert calls of nnU-Net's remove_all_but_largest_component_from_segmentation to rules."""
    values = sorted(model.dataset.label_names)
    named = dict(zip(values, challenge_labels(model, options).labels, strict=True))
    groups = [tuple(named[value] for value in _values(step, model)) for step in steps]
    if groups and all(len(group) == 1 for group in groups):
        singles = tuple(dict.fromkeys(name for group in groups for name in group))
        return (LargestComponent(rule="largest_component", labels=singles),)
    return tuple(
        LargestComponent(rule="largest_component", labels=group, together=len(group) > 1) for group in groups
    )


def _values(step: Mapping[str, Any], model: Model) -> list[int]:
    """Read the label values of a step; a region stands for its labels."""
    given: Any = step.get(LABELS)
    parts: list[Any] = given if isinstance(given, list) else [given]
    values: list[Any] = [v for part in parts for v in (part if isinstance(part, tuple | list) else (part,))]
    known = model.dataset.label_names
    if not values or step.get("background_label", 0) != 0 or not set(values) <= set(known):
        expected = f"{LABELS} among {', '.join(map(str, known))}, with background 0"
        raise EnvironmentFault(f"has the postprocessing {dict(step)}", file=model.source, expected=expected)
    return sorted({int(value) for value in values})
