from segcube.release.trial import print_trials
from segcube.release.trial.trial import Outcome
from segcube.spec.hosts import HOSTS

FOREIGN = "[red]x[/red] \x1b[31m"
SHOWN = r"[red]x[/red] \x1b[31m"


def test_foreign_names_are_printed_as_they_stand(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    print_trials([Outcome(HOSTS[0], FOREIGN, "failed", why=FOREIGN)], FOREIGN, strict=False, as_json=False)
    told = capsys.readouterr().out
    assert told.count(SHOWN) == 3
    assert "\x1b" not in told
