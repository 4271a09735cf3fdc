from __future__ import annotations

from html.parser import HTMLParser

from segcube.training.progress.markup import document, facts, node, table


class Reader(HTMLParser):
    """Collects tags, attributes and text, as a browser reads them."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_text_and_attributes_are_escaped():
    evil = '<script>alert("x")</script>&amp;'
    read = Reader(document(evil, "", [node("p", evil, title=evil)]))
    assert "script" not in read.tags
    assert read.text.count(evil) == 2
    assert ("title", evil) in read.attributes


def test_control_characters_are_written_as_escapes():
    assert Reader(document("t", "", [node("p", "a\x1b[2J\u202e\nb")])).text.endswith("a\\x1b[2J\\u202e\nb")


def test_text_between_elements_stays_in_its_place():
    found = document("t", "", [node("p", "a", node("b", "b"), "c", "d")])
    assert b"<p>a<b>b</b>cd</p>" in found


def test_tables_name_their_rows_and_columns():
    found = document("t", "", [table("Dice", ("case", "WT"), [("a", "0.5")]), facts("Plan", {"batch": "2"})])
    assert b'<th scope="col">WT</th>' in found
    assert b'<tr><th scope="row">a</th><td>0.5</td></tr>' in found
    assert b'<tr><th scope="row">batch</th><td>2</td></tr>' in found
    assert found.count(b"<thead>") == 1


def test_a_page_names_its_language_and_allows_no_loading():
    read = Reader(document("t", "p { color: red }", []))
    assert ("lang", "en") in read.attributes
    assert any("default-src 'none'" in (value or "") for _, value in read.attributes)
    assert "p { color: red }" in read.text
