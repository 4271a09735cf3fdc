from dataclasses import replace

import pytest

from segcube.core import UsageError
from segcube.tools.soup.ledger import Terms, Trial, open_ledger

TERMS = Terms(
    metric="plain dice",
    submission={"name": "one", "postprocess": []},
    challenge={"key": "brats2023-gli"},
    candidates={"a": "1", "b": "2"},
    cases={"case": "3"},
    settings={"device": "cpu"},
    versions={"segcube": "1"},
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "soup.jsonl"


def test_trials_come_back_in_whatever_order(file):
    open_ledger(file, TERMS).note(Trial(("b", "a"), 0.5, True))
    ledger = open_ledger(file, TERMS)
    assert ledger.score_of(["a", "b"]) == 0.5
    assert ledger.score_of(["a"]) is None


def test_a_trial_is_written_once(file):
    for _ in range(2):
        open_ledger(file, TERMS).note(Trial(("a",), 0.5, False))
    assert len(file.read_text().splitlines()) == 2


def test_a_line_that_was_cut_off_is_dropped(file):
    open_ledger(file, TERMS).note(Trial(("a",), 0.5, False))
    with file.open("a") as stream:
        stream.write('{"soup": ["b"], "sco')
    ledger = open_ledger(file, TERMS)
    assert ledger.score_of(["b"]) is None
    ledger.note(Trial(("b",), 0.25, False))
    assert open_ledger(file, TERMS).score_of(["b"]) == 0.25


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"candidates": {"a": "1", "b": "9"}}, r"candidates \(b\)"),
        ({"cases": {"case": "3", "more": "4"}}, r"cases \(more\)"),
        ({"metric": "plain iou"}, r"metric \(plain dice\)"),
        ({"settings": {"device": "cuda"}}, r"settings \(device\)"),
        ({"submission": {"name": "one", "postprocess": [{"rule": "nest"}]}}, r"submission \(postprocess\)"),
        ({"challenge": {"key": "brats2023-ssa"}}, r"challenge \(key\)"),
        ({"versions": {"segcube": "2"}}, r"versions \(segcube\)"),
    ],
)
def test_what_changed_is_named(file, changes, words):
    open_ledger(file, TERMS)
    with pytest.raises(UsageError, match=rf"soup.jsonl: was written for other {words}"):
        open_ledger(file, replace(TERMS, **changes))


def test_a_ledger_that_lacks_a_term_is_of_other_terms(file):
    file.write_text('{"metric": "plain dice"}\n')
    with pytest.raises(UsageError, match=r"was written for other submission"):
        open_ledger(file, TERMS)


@pytest.mark.parametrize("text", ["no json\n", "[]\n", "\n", '{"soup": []}\n', "[" * 100_000 + "\n"])
def test_another_file_is_refused(file, text):
    file.write_text(text)
    with pytest.raises(UsageError, match="is no ledger of a soup"):
        open_ledger(file, TERMS)


@pytest.mark.parametrize("content", [b"text without a line's end", b"\x1f\x8b\x00 no text\n"])
def test_a_file_that_is_no_ledger_stays_as_it_is(file, content):
    file.write_bytes(content)
    with pytest.raises(UsageError, match="is no ledger of a soup"):
        open_ledger(file, TERMS)
    assert file.read_bytes() == content
