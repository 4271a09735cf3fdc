from io import StringIO

import pytest
from rich.console import Console

from segcube.cli.base.tables import log_problems, print_scores
from segcube.core import console_logging, count_of, literal_text

UNTRUSTED = "[red]x[/red] :skull: \x1b[31m\u202e\nforged"
SHOWN = r"[red]x[/red] :skull: \x1b[31m\u202e\nforged"
"""The same as one line, with unprintable characters escaped."""


def test_untrusted_text_is_printed_literally_in_one_line():
    out = StringIO()
    Console(file=out, force_terminal=True, width=200).print(literal_text(UNTRUSTED))
    assert out.getvalue() == SHOWN + "\n"


def test_scores_print_untrusted_names_literally(capsys):
    mean = {UNTRUSTED: {"dice": 0.5}}
    print_scores(UNTRUSTED, mean, mean, {UNTRUSTED: mean})
    out = capsys.readouterr().out
    # In the title, the region's column, and region and case of the worst cases
    assert out.count(SHOWN) == 4
    assert "\x1b" not in out
    assert not any(line.startswith("forged") for line in out.splitlines())


@pytest.mark.parametrize(
    "problems",
    [
        ({UNTRUSTED: UNTRUSTED}, {}, (), {}),
        ({}, {UNTRUSTED: (UNTRUSTED,)}, (), {}),
        ({}, {}, (UNTRUSTED,), {}),
        ({}, {}, (), {UNTRUSTED: UNTRUSTED}),
    ],
    ids=["problem", "notice", "without reference", "bad reference"],
)
def test_problems_print_untrusted_names_literally(capsys, problems):
    with console_logging():
        log_problems(*problems)
    err = capsys.readouterr().err
    assert SHOWN in err
    assert "\x1b" not in err
    assert not any(line.startswith("forged") for line in err.splitlines())


def test_a_count_of_one_is_singular():
    assert (count_of(1, "map"), count_of(0, "map")) == ("1 map", "0 maps")
