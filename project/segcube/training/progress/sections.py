"""Sections of a progress page: status, time by part, validation, pictures, plan, events."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from xml.etree.ElementTree import Element

import yaml

from segcube.core import duration
from segcube.spec.challenges import Challenge
from segcube.training.plan import Plan
from segcube.training.progress.charts import STYLES, number
from segcube.training.progress.history import History, ValidationRecord
from segcube.training.progress.markup import Child, facts, node, table
from segcube.training.recipes import recipe_digest

THUMBNAILS = "thumbnails"
"""Folder of a fold with a picture of each validated case, CASE.png."""
MOST_THUMBNAILS = 8
MOST_ROWS = 20
"""Cases of the validation's table; scores.csv has all."""
NONE = "–"


@dataclass(frozen=True)
class RunFacts:
    """What a progress page shows besides the log; steps: of the whole training."""

    plan: Plan
    challenge: Challenge
    fold: str
    steps: int
    environment: Mapping[str, str]
    """Versions, device and the like, by name."""


def status(run: RunFacts, history: History) -> list[Element]:
    """Return how far the training is, how fast, and what it reached."""
    done = node("progress", value=history.step, max=run.steps, labelled_by="done")
    values = {
        "step": f"{history.step:,} of {run.steps:,} ({history.step / run.steps:.1%})",
        "time left": time_left(run, history),
        "steps per second": optional(history.steps_per_second),
        "loss": optional(history.latest.get("loss")),
        "learning rate": optional(history.latest.get("rate")),
        "peak memory": f"{history.memory_gb:.2f} GB",
        "steps without update": f"{history.skipped:,}",
    }
    if history.validations:
        last = history.validations[-1]
        values[f"Dice at step {last.step:,}"] = dice_line(last.mean)
    return [node("p", f"Step {history.step:,} of {run.steps:,}", id="done"), done, facts("Status", values)]


def time_left(run: RunFacts, history: History) -> str:
    """Return the time left in words; a dash before the first step."""
    seconds = history.seconds_left(run.steps, run.plan.recipe.validation.every)
    return NONE if seconds is None else duration(seconds)


def dice_line(mean: Mapping[str, float | None]) -> str:
    """Return the mean Dice of each region in one line."""
    return ", ".join(f"{region} {optional(value, 3)}" for region, value in mean.items())


def optional(value: float | None, decimals: int | None = None) -> str:
    """Return a number as text; a dash for None."""
    if value is None:
        return NONE
    return number(value) if decimals is None else f"{value:.{decimals}f}"


def time_by_part(run: RunFacts, history: History) -> list[Element]:
    """Return the share of each part of a step, as a bar and a table."""
    total = sum(history.seconds.values())
    if not total:
        return [node("p", "No step is finished yet.")]
    bars: list[Element] = []
    rows: list[Sequence[Child]] = []
    for index, (name, seconds) in enumerate(history.seconds.items()):
        share = seconds / total
        bars.append(node("div", kind=f"line{index % STYLES}", title=name, style=f"width: {share:.3%}"))
        key = node("span", node("span", kind=f"key line{index % STYLES}"), name)
        rows.append((key, f"{share:.1%}", f"{1000 * seconds / history.steps_timed:.2f}"))
    bar = node("div", *bars, kind="shares", **{"aria-hidden": "true"})
    found = [bar, table("Time of a step by part, mean of all steps", ("part", "share", "ms a step"), rows)]
    if run.environment.get("device", "").startswith("cuda"):
        text = "A GPU works behind the program: time of forward and backward may appear as update."
        found.append(node("p", text, kind="note"))
    return found


def validation(run: RunFacts, history: History) -> list[Element]:
    """Return the last validation by case and region, with recall and confusion where the log has them."""
    if not history.validations:
        return [node("p", f"The first validation follows step {run.plan.recipe.validation.every:,}.")]
    last = history.validations[-1]
    regions = list(dict.fromkeys((*last.mean, *last.recall)))
    rows = [_row(case, row, regions) for case, row in list(last.scores.items())[:MOST_ROWS]]
    rows.append(_row("mean", last.mean, regions))
    if last.recall:
        rows.append(_row("mean recall", last.recall, regions))
    rows.append(_row("highest mean Dice so far", best(history), regions))
    found = [node("div", table(f"Dice at step {last.step:,}", ("case", *regions), rows), kind="scroll")]
    if len(last.scores) > MOST_ROWS:
        text = f"{len(last.scores) - MOST_ROWS} more cases are in scores.csv."
        found.append(node("p", text, kind="note"))
    return [*found, *_metrics(last), *_confusion(last)]


def best(history: History) -> dict[str, float]:
    """Return the highest mean Dice of each region over the validations."""
    found: dict[str, float] = {}
    for record in history.validations:
        for region, value in record.mean.items():
            if value is not None:
                found[region] = max(found.get(region, 0.0), value)
    return found


def pictures(folder: Path) -> list[Element]:
    """Return the thumbnails of a fold's folder, embedded; an empty list where it has none."""
    found: list[Element] = []
    for file in sorted((folder / THUMBNAILS).glob("*.png"))[:MOST_THUMBNAILS]:
        content = base64.b64encode(file.read_bytes()).decode()
        text = f"{file.stem}: image, reference labels and prediction in the section with most labelled voxels"
        picture = node("img", src=f"data:image/png;base64,{content}", alt=text)
        found.append(node("figure", node("figcaption", file.stem), picture))
    return found


def plan(run: RunFacts) -> list[Element]:
    """Return the plan, the recipe's digest and the versions as tables, and the whole recipe as YAML."""
    content = yaml.safe_dump(run.plan.recipe.model_dump(mode="json"), sort_keys=False, width=100)
    recipe = node("details", node("summary", "Recipe with all values"), node("pre", content))
    tables = (facts("Plan", plan_facts(run)), facts("Environment", run.environment))
    return [node("div", *tables, kind="columns"), recipe]


def plan_facts(run: RunFacts) -> dict[str, str]:
    """Return the plan by name, in words."""
    plan, recipe = run.plan, run.plan.recipe
    parts = f", in {plan.accumulate} parts" if plan.accumulate > 1 else ""
    values = {
        "challenge": f"{run.challenge.key}: {run.challenge.title}",
        "fold": run.fold,
        "network": plan.network,
        "channels": ", ".join(plan.branch.channels),
        plan.branch.outputs.kind: ", ".join(plan.branch.outputs.names),
        "patch": f"{_times(plan.patch)} voxels",
        "batch": f"{plan.batch}{parts}, Dice {'over the batch' if plan.batch_dice else 'of each sample'}",
        "spacing": f"{_times(plan.spacing)} mm",
        "median case": f"{_times(plan.median_shape)} voxels",
        "recipe": recipe.name,
        "digest of the recipe": recipe_digest(recipe),
        "optimizer": f"{recipe.optimizer.kind}, learning rate {number(recipe.optimizer.learning_rate)}",
        "schedule": recipe.schedule.kind,
        "loss": f"Dice: {recipe.loss.dice}, entropy: {recipe.loss.entropy}",
        "precision": recipe.precision,
        "validation": f"every {recipe.validation.every:,} steps, {recipe.validation.cases} cases",
    }
    if plan.estimate is not None:
        found = plan.estimate
        hours = f"{number(found.hours)} h, {number(found.memory_gb)} GB on {found.device}"
        values["estimate before step 1"] = hours
    return values


def events(history: History) -> list[Element]:
    """Return the last events in a table, newest first, and how many there were of each kind."""
    if not history.events:
        return [node("p", "None.")]
    counts = ", ".join(f"{name}: {count:,}" for name, count in sorted(history.event_counts.items()))
    rows = [
        (f"{record.get('step', 0):,}", str(record.get("event")), str(record.get("message", ""))[:500])
        for record in reversed(history.events)
    ]
    return [
        node("p", counts),
        node("div", table("Events", ("step", "event", "message"), rows), kind="scroll"),
    ]


def _row(name: str, values: Mapping[str, float | None], regions: Sequence[str]) -> Sequence[str]:
    return (name, *(optional(values.get(region), 3) for region in regions))


def _metrics(record: ValidationRecord) -> list[Element]:
    """The challenge's metrics of the last validation, means over the cases that have a value."""
    found: dict[str, dict[str, list[float]]] = {}
    for regions in record.metrics.values():
        for region, row in regions.items():
            for metric, value in row.items():
                values = found.setdefault(metric, {}).setdefault(region, [])
                values += [] if value is None else [value]
    if not found:
        return []
    names = list(next(iter(record.metrics.values())))
    rows = [
        (metric, *(number(fmean(values)) if (values := row.get(name)) else NONE for name in names))
        for metric, row in found.items()
    ]
    caption = f"The challenge's metrics at step {record.step:,}, means of the cases"
    return [node("div", table(caption, ("metric", *names), rows), kind="scroll")]


def _confusion(record: ValidationRecord) -> list[Element]:
    if not record.confusion:
        return []
    names = list(record.confusion)
    rows: list[Sequence[str]] = []
    for label, row in record.confusion.items():
        counts = [row[name] for name in names]
        total = sum(counts)
        rows.append((label, *(f"{count / total:.1%}" if total else NONE for count in counts)))
    caption = "Voxels of each reference label by predicted label"
    return [node("div", table(caption, ("reference", *names), rows), kind="scroll")]


def _times(values: Sequence[float]) -> str:
    return " x ".join(number(value) for value in values)
