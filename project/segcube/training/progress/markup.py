"""Elements of an HTML page: text is escaped by construction, and unprintable characters as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

from segcube.core import printable

Child: TypeAlias = Element | str
NAMES = {"kind": "class", "labelled_by": "aria-labelledby", "http_equiv": "http-equiv"}
"""Attributes that Python does not accept as keywords."""


def node(tag: str, *children: Child, **attributes: object) -> Element:
    """Return an element with children and text in their order; kind is its class."""
    element = Element(tag, {NAMES.get(key, key): printable(str(value)) for key, value in attributes.items()})
    last: Element | None = None
    for child in children:
        if isinstance(child, Element):
            element.append(child)
            last = child
        elif last is None:
            element.text = (element.text or "") + _escaped(child)
        else:
            last.tail = (last.tail or "") + _escaped(child)
    return element


def table(
    caption: str, header: Sequence[str], rows: Iterable[Sequence[Child]], **attributes: object
) -> Element:
    """Return a table whose first column heads the rows; header: empty for a table without one."""
    found = node("table", node("caption", caption), **attributes)
    if header:
        found.append(node("thead", node("tr", *(node("th", text, scope="col") for text in header))))
    lines = (
        node("tr", node("th", row[0], scope="row"), *(node("td", cell) for cell in row[1:])) for row in rows
    )
    found.append(node("tbody", *lines))
    return found


def facts(caption: str, values: Mapping[str, str]) -> Element:
    """Return a table of names and values."""
    return table(caption, (), values.items(), kind="facts")


def document(title: str, style: str, body: Iterable[Element]) -> bytes:
    """Return a page in UTF-8 that loads nothing and runs no script."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=policy),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("title", title),
    )
    sheet = Element("style")
    sheet.text = style
    head.append(sheet)
    page = node("html", head, node("body", *body), lang="en")
    return b"<!DOCTYPE html>\n" + tostring(page, encoding="unicode", method="html").encode()


def _escaped(text: str) -> str:
    # Line breaks stay, for the text of files
    return "\n".join(printable(line) for line in text.split("\n"))
