from io import StringIO

import pytest
from rich.console import Console

from segcube.cli.tables import print_problems, print_scores
from segcube.core import plain

FOREIGN = "[red]x[/red] :skull: \x1b[31m\u202e\nforged"
SHOWN = r"[red]x[/red] :skull: \x1b[31m\u202e\nforged"
"""The same, as a log may hold it: one line, its escapes spelled out."""


def test_foreign_text_is_one_line_as_it_stands():
    out = StringIO()
    Console(file=out, force_terminal=True, width=200).print(plain(FOREIGN))
    assert out.getvalue() == SHOWN + "\n"


def test_scores_print_foreign_names_as_they_stand(capsys):
    mean = {FOREIGN: {"dice": 0.5}}
    print_scores(FOREIGN, mean, mean, {FOREIGN: mean})
    out = capsys.readouterr().out
    # The title, the region's column, and the region and case among the worst
    assert out.count(SHOWN) == 4
    assert "\x1b" not in out
    assert not any(line.startswith("forged") for line in out.splitlines())


@pytest.mark.parametrize(
    "told",
    [
        ({FOREIGN: FOREIGN}, {}, (), {}),
        ({}, {FOREIGN: (FOREIGN,)}, (), {}),
        ({}, {}, (FOREIGN,), {}),
        ({}, {}, (), {FOREIGN: FOREIGN}),
    ],
    ids=["problem", "notice", "without reference", "bad reference"],
)
def test_problems_print_foreign_names_as_they_stand(capsys, told):
    print_problems(*told)
    err = capsys.readouterr().err
    assert SHOWN in err
    assert "\x1b" not in err
    assert not any(line.startswith("forged") for line in err.splitlines())
