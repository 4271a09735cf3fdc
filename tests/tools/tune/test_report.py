import pytest
import yaml

from segcube.spec.submission import Nest
from segcube.tools.tune import print_tuned, tuned_block
from segcube.tools.tune.inputs import Inputs
from segcube.tools.tune.report import verdict
from segcube.tools.tune.search import Tuned
from segcube.tools.tune.search_space import build_search_space

NAMES = ("TC", "WT", "ET")
NEST = Nest(rule="nest", order=("ET", "TC", "WT"))
MEMBERS = ("a.safetensors", "b.safetensors")
SPACE = build_search_space([NEST], NAMES, "regions", MEMBERS, ((1.0,) * 3, (1.0,) * 3))


@pytest.fixture
def report(glioma, make_case):
    """The verdict and the block of a tuning after which unseen cases have these scores."""

    def make(after):
        values = {"WT threshold": 0.35, "WT min_voxels": 50, "TC weight of b.safetensors": 0.5}
        fitted = {**SPACE.start, **values}
        points = fitted, SPACE.start
        inputs = Inputs(glioma, glioma.metrics, (NEST,), SPACE, (make_case(),), ())
        scores = [{"WT": score} for score in after]
        tuned = Tuned(SPACE, ("a", "b"), fitted, points, [{"WT": 0.5}] * 2, scores, scores)
        return verdict(tuned, inputs), tuned_block(tuned, inputs)

    return make


def test_the_block_holds_the_tuned_rules_and_weights(report):
    line, block = report([0.6, 0.6])
    assert line == "lesionwise_dice of an unseen case: +0.1000 ± 0.0000 (2 cases, 2 folds)"
    assert block.startswith(f"# {line}\n")
    assert yaml.safe_load(block) == {
        "postprocess": [
            {"rule": "threshold", "at": {"TC": 0.5, "WT": 0.35, "ET": 0.5}},
            {"rule": "keep_components", "region": "WT", "min_voxels": 50},
            {"rule": "nest", "order": ["ET", "TC", "WT"]},
        ],
        "weights": {
            "a.safetensors": {"TC": 1.0, "WT": 1.0, "ET": 1.0},
            "b.safetensors": {"TC": 0.5, "WT": 1.0, "ET": 1.0},
        },
    }


def test_without_a_gain_the_block_holds_the_own_rules(report):
    line, block = report([0.7, 0.3])
    assert "no reliable gain" in line
    assert yaml.safe_load(block) == {"postprocess": [{"rule": "nest", "order": ["ET", "TC", "WT"]}]}


@pytest.mark.parametrize(("after", "title"), [([0.6, 0.6], False), ([0.7, 0.3], True)])
def test_changes_without_a_gain_are_candidates(glioma, make_case, capsys, after, title):
    fitted = {**SPACE.start, "WT threshold": 0.35}
    scores = [{"WT": 0.5}] * 2, [{"WT": score} for score in after]
    inputs = Inputs(glioma, glioma.metrics, (NEST,), SPACE, (make_case(),), ())
    print_tuned(Tuned(SPACE, ("a", "b"), fitted, (fitted, fitted), *scores, scores[1]), inputs)
    assert ("candidates, not applied" in capsys.readouterr().err) is title


def test_foreign_names_are_printed_literally(glioma, make_case, capsys):
    foreign = "[red]x :skull:\x1b\nforged"
    space = build_search_space((), NAMES, "regions", (foreign, "b"), ((1.0,) * 3, (1.0,) * 3))
    fitted = {**space.start, f"WT weight of {foreign}": 0.5}
    before, after = [{foreign: 0.5}] * 2, [{foreign: 0.6}] * 2
    inputs = Inputs(glioma, glioma.metrics, (), space, (make_case(),), ())
    print_tuned(Tuned(space, ("a", "b"), fitted, (fitted,), before, after, after), inputs)
    printed = capsys.readouterr().err
    assert printed.count(r"[red]x :skull:\x1b\nforged") == 2
    assert "\x1b" not in printed
