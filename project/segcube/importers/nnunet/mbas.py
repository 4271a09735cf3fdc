"""The two-stage models of anenbergb/MBAS, built on nnU-Net v2's plans: one pickle, or two model folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault
from segcube.importers.checkpoint.inert import Inert, plain
from segcube.importers.checkpoint.layouts import open_checkpoint
from segcube.importers.nnunet.convert import Gate, import_stages
from segcube.importers.nnunet.labels import decide, label_names
from segcube.importers.nnunet.model import (
    Model,
    Weights,
    expect_checkpoint,
    read_folder,
    read_model,
    state_of,
)
from segcube.importers.nnunet.plans import read_checkpoint, read_dataset, read_plans
from segcube.importers.requests import Imported, Wishes
from segcube.importers.sources import content_of
from segcube.spec.submission import LargestComponent

FRAMEWORK = "anenbergb/MBAS (nnU-Net v2 plans)"
ONE, TWO = "Parameters1Stage", "Parameters2Stage"
LABELS = "labels_or_regions"


def import_mbas(
    source: Path, wishes: Wishes, previous: Path | None = None, checkpoint: str = "final"
) -> Imported:
    """MBAS's pickled parameters, or its last stage's folder with that of the stage before, as a submission.

    Of folders, the first stage keeps its largest component and so does each label of the last one; a pickle
    says itself. checkpoint: final or best, of folders. Raises EnvironmentFault for what is broken or not
    supported, UsageError for names that are not plain.
    """
    if source.is_file():
        with content_of(source, "anenbergb/MBAS"):
            return _import_pickle(source, wishes)
    model = read_folder(source, wishes.folds, checkpoint)
    before = read_folder(previous, wishes.folds, checkpoint) if previous else None
    rule = LargestComponent(rule="largest_component", labels=decide(model, wishes).labels)
    return replace(import_stages(model, before, wishes, Gate(), (rule,)), framework=FRAMEWORK)


def _import_pickle(file: Path, wishes: Wishes) -> Imported:
    content = open_checkpoint(file)
    kind = content.name.rpartition(".")[2] if isinstance(content, Inert) else type(content).__name__
    if kind not in (ONE, TWO):
        raise EnvironmentFault(f"holds a {kind}", file=file, expected=f"{TWO} or {ONE}, as MBAS pickles them")
    if kind == ONE:
        model = _model(content, "", file)
        steps = [] if content.fields.get("skip_postprocessing") else _steps(content, "")
        imported = import_stages(model, None, wishes, None, _rules(model, steps, wishes))
    else:
        before, model = _model(content, "stage1_", file), _model(content, "stage2_", file)
        rules = _rules(model, _steps(content, "stage2_"), wishes)
        imported = import_stages(model, before, wishes, _gate(before, _steps(content, "stage1_")), rules)
    return replace(imported, framework=FRAMEWORK)


def _model(content: Inert, prefix: str, file: Path) -> Model:
    parts = [f"{prefix}{part}" for part in ("checkpoint", "plans", "dataset")]
    lacking = [part for part in parts if part not in content.fields]
    if lacking:
        raise EnvironmentFault(f"no {', '.join(lacking)}", file=file, expected="what MBAS pickles")
    key, plans, dataset = parts
    checkpoint = expect_checkpoint(content.fields[key], file)
    saved = read_checkpoint(checkpoint, file)
    fold = str(saved.init_args.fold)
    weights = Weights(
        file, lambda: state_of(expect_checkpoint(open_checkpoint(file).fields[key], file), file)
    )
    return read_model(
        saved,
        read_plans(plain(content.fields[plans]), file),
        read_dataset(plain(content.fields[dataset]), file),
        file,
        {fold: weights},
    )


def _steps(content: Inert, prefix: str) -> Sequence[Mapping[str, Any]]:
    return content.fields.get(f"{prefix}postprocessing_kwargs") or ()


def _gate(model: Model, steps: Sequence[Mapping[str, Any]]) -> Gate:
    """How the mask of the first stage is cleaned: not at all, or to its largest component."""
    found = {value for step in steps for value in _values(step, model)}
    if found and found != set(label_names(model)):
        raise EnvironmentFault(
            f"the first stage keeps the largest component of {sorted(found)}",
            file=model.source,
            expected="of its whole mask, or none",
        )
    return Gate("largest_component" if steps else "all")


def _rules(model: Model, steps: Sequence[Mapping[str, Any]], wishes: Wishes) -> tuple[LargestComponent, ...]:
    """nnU-Net's remove_all_but_largest_component_from_segmentation, step after step, as rules."""
    values = sorted(label_names(model))
    named = dict(zip(values, decide(model, wishes).labels, strict=True))
    groups = [tuple(named[value] for value in _values(step, model)) for step in steps]
    if groups and all(len(group) == 1 for group in groups):
        singles = tuple(dict.fromkeys(name for group in groups for name in group))
        return (LargestComponent(rule="largest_component", labels=singles),)
    return tuple(
        LargestComponent(rule="largest_component", labels=group, together=len(group) > 1) for group in groups
    )


def _values(step: Mapping[str, Any], model: Model) -> list[int]:
    """The label values of a step; regions within it count as their labels."""
    asked: Any = step.get(LABELS)
    parts: list[Any] = asked if isinstance(asked, list) else [asked]
    values: list[Any] = [v for part in parts for v in (part if isinstance(part, tuple | list) else (part,))]
    if not values or step.get("background_label", 0) != 0 or not set(values) <= set(label_names(model)):
        raise EnvironmentFault(
            f"postprocessing {dict(step)}",
            file=model.source,
            expected=f"{LABELS} among {', '.join(map(str, label_names(model)))}, with background 0",
        )
    return sorted({int(value) for value in values})
