import pytest
import yaml

from segcube.spec.submission import Nest
from segcube.tools.tune import print_tuned, tuned_block
from segcube.tools.tune.crossvalidation import HeldOut
from segcube.tools.tune.inputs import Inputs
from segcube.tools.tune.report import verdict
from segcube.tools.tune.search_space import FilterKnob, ThresholdKnob, WeightKnob, starting_point
from segcube.tools.tune.tuning import Change, Tuned

NAMES = ("TC", "WT", "ET")
NEST = Nest(rule="nest", order=("ET", "TC", "WT"))
START = starting_point([NEST], NAMES, "regions", ((1.0,) * 3, (1.0,) * 3))


@pytest.fixture
def told(glioma, make_case):
    """The block of a tuning after which unseen cases score so much."""

    def log(after):
        fitted = ThresholdKnob("WT").turn(START, 0.35)
        fitted = FilterKnob(2, "WT", "min_voxels").turn(fitted, 50)
        fitted = WeightKnob(1, 0, "").turn(fitted, 0.5)
        held_out = HeldOut(("a", "b"), [{"WT": 0.5}] * 2, [{"WT": score} for score in after], (fitted, START))
        members = ("a.safetensors", "b.safetensors")
        inputs = Inputs(glioma, glioma.metrics, (NEST,), START, members, (make_case(),), ())
        tuned = Tuned(START, fitted, held_out, 0.7, ())
        return verdict(tuned, inputs), tuned_block(tuned, inputs)

    return log


def test_the_block_holds_the_tuned_rules_and_weights(told):
    line, block = told([0.6, 0.6])
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


def test_without_a_gain_the_own_rules_are_written(told):
    line, block = told([0.7, 0.3])
    assert line.endswith("no gain to rely on, the own values stay")
    assert yaml.safe_load(block) == {"postprocess": [{"rule": "nest", "order": ["ET", "TC", "WT"]}]}


def test_foreign_names_are_printed_as_they_stand(glioma, make_case, capsys):
    foreign = "[red]x[/red] :skull: \x1b[31m\nforged"
    held_out = HeldOut(("a", "b"), [{foreign: 0.5}] * 2, [{foreign: 0.6}] * 2, (START,))
    inputs = Inputs(glioma, glioma.metrics, (), START, (), (make_case(),), ())
    changes = (Change(f"WT weight of {foreign}", 1.0, 0.5, (0.5,)),)
    print_tuned(Tuned(START, START, held_out, 0.6, changes), inputs)
    told = capsys.readouterr().err
    assert told.count(r"[red]x[/red] :skull: \x1b[31m\nforged") == 2
    assert "\x1b" not in told
