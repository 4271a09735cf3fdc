"""progress.html: a training on one page that needs neither a network nor scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

from segcube.training.progress import sections
from segcube.training.progress.charts import line_chart
from segcube.training.progress.history import History
from segcube.training.progress.markup import document, node
from segcube.training.progress.sections import RunFacts

STYLE = Path(__file__).parent / "data" / "page.css"


def progress_page(run: RunFacts, history: History, folder: Path, now: datetime) -> bytes:
    """Return a training's page as HTML, at most a few hundred kB besides its pictures.

    folder: of the fold, with the thumbnails of the last validation. now: when the page is written. A history
    without steps gives a page that states so.
    """
    title = f"{run.challenge.key}, {run.fold}"
    written = f"Written {now:%Y-%m-%d %H:%M:%S %Z}; reload the page for later steps."
    header = node(
        "header", node("h1", title), *sections.status(run, history), node("p", written, kind="note")
    )
    thumbnails = sections.pictures(folder)
    validation = [*sections.validation(run, history)]
    if thumbnails:
        validation.append(node("div", *thumbnails, kind="columns pictures"))
    body = [
        header,
        node(
            "main",
            _section("Curves", [node("div", *charts(history), kind="charts")]),
            _section("Validation", validation),
            _section("Time", sections.time_by_part(run, history)),
            _section("Plan", sections.plan(run)),
            _section("Events", sections.events(history)),
        ),
    ]
    return document(f"{title}: step {history.step:,}", STYLE.read_text(), body)


def charts(history: History) -> list[Element]:
    """Return the curves of loss, its parts, learning rate, gradient norm and Dice."""
    losses = dict(history.losses)
    loss = {name: losses.pop(name) for name in ("loss",) if name in losses}
    others = {
        name: {name: history.curves[name]} for name in ("rate", "gradient_norm") if name in history.curves
    }
    return [
        line_chart("loss", "Loss", loss),
        line_chart("dice", "Mean Dice of the validations, by region", history.dice, unit_range=True),
        line_chart("parts", "Parts of the loss", losses),
        line_chart("rate", "Learning rate", others.get("rate", {})),
        line_chart("norm", "Norm of the gradient", others.get("gradient_norm", {})),
    ]


def _section(title: str, content: Sequence[Element]) -> Element:
    name = title.lower()
    return node("section", node("h2", title, id=f"section-{name}"), *content, labelled_by=f"section-{name}")
