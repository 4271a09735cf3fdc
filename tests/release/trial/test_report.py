import json

from segcube.release.trial import print_trials
from segcube.release.trial.trial import Outcome
from segcube.spec.hosts import HOSTS

FOREIGN = "[red]x[/red] \x1b[31m"
SHOWN = r"[red]x[/red] \x1b[31m"


def test_names_cannot_add_styles_to_the_output(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    print_trials([Outcome(HOSTS[0], FOREIGN, "failed", why=FOREIGN)], FOREIGN, strict=False, as_json=False)
    printed = capsys.readouterr().out
    assert printed.count(SHOWN) == 3
    assert "\x1b" not in printed


def test_json_has_the_host_with_its_mounts(capsys):
    outcome = Outcome(HOSTS[0], "mine", "passed", 1.0)
    print_trials([outcome], "", strict=False, as_json=True)
    [printed] = json.loads(capsys.readouterr().out)["hosts"]
    assert list(printed) == ["host", "submission", "outcome", "seconds", "why", "findings"]
    assert list(printed["host"]) == ["name", "who", "mounts", "command", "user", "network", "flags"]
    assert list(printed["host"]["mounts"][0]) == ["content", "target", "read_only", "file", "alone"]
