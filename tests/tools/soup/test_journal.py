import pytest

from segcube.core import UsageError
from segcube.tools.soup.journal import Trial, open_journal

CONDITIONS = {
    "metric": "plain dice",
    "submission": {"name": "one", "postprocess": []},
    "challenge": {"key": "brats2023-gli"},
    "candidates": {"a": "1", "b": "2"},
    "cases": {"case": "3"},
    "settings": {"device": "cpu"},
    "versions": {"segcube": "1"},
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "soup.jsonl"


def test_trials_are_found_in_any_order(file):
    open_journal(file, CONDITIONS).add(Trial(("b", "a"), 0.5, True))
    journal = open_journal(file, CONDITIONS)
    assert journal.score_of(["a", "b"]) == 0.5
    assert journal.score_of(["a"]) is None


def test_a_trial_is_written_once(file):
    for _ in range(2):
        open_journal(file, CONDITIONS).add(Trial(("a",), 0.5, False))
    assert len(file.read_text().splitlines()) == 2


def test_an_incomplete_last_line_is_dropped(file):
    open_journal(file, CONDITIONS).add(Trial(("a",), 0.5, False))
    with file.open("a") as stream:
        stream.write('{"soup": ["b"], "sco')
    journal = open_journal(file, CONDITIONS)
    assert journal.score_of(["b"]) is None
    journal.add(Trial(("b",), 0.25, False))
    assert open_journal(file, CONDITIONS).score_of(["b"]) == 0.25


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cases": {"case": "3", "more": "4"}}, r"cases \(more\)"),
        ({"metric": "plain iou"}, r"metric \(plain dice\)"),
        ({"submission": {"name": "one", "postprocess": [{"rule": "nest"}]}}, r"submission \(postprocess\)"),
    ],
)
def test_changed_conditions_are_named(file, changes, words):
    open_journal(file, CONDITIONS)
    with pytest.raises(UsageError, match=rf"soup.jsonl: was written for other {words}"):
        open_journal(file, CONDITIONS | changes)


def test_a_missing_condition_is_a_change(file):
    file.write_text('{"metric": "plain dice"}\n')
    with pytest.raises(UsageError, match=r"was written for other submission"):
        open_journal(file, CONDITIONS)


def test_another_file_is_refused(file):
    for text in ("no json\n", "[]\n", '{"soup": []}\n', "[" * 100_000 + "\n"):
        file.write_text(text)
        with pytest.raises(UsageError, match="is not the journal of a soup"):
            open_journal(file, CONDITIONS)


def test_another_file_is_not_changed(file):
    for content in (b"text without a newline", b"\x1f\x8b\x00 no text\n"):
        file.write_bytes(content)
        with pytest.raises(UsageError, match="is not the journal of a soup"):
            open_journal(file, CONDITIONS)
        assert file.read_bytes() == content
