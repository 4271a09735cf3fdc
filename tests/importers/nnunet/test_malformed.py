"""Plans, datasets and checkpoints with an entry that is missing or wrong: refused, or of no effect."""

import copy
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.core import SegcubeError
from segcube.importers.nnunet import import_nnunet
from segcube.importers.nnunet.convert import import_stages
from segcube.importers.nnunet.dataset import Dataset
from segcube.importers.nnunet.model import read_model
from segcube.importers.nnunet.plans import Checkpoint, Plans, read_part
from segcube.networks.registry import check_arguments

WITHOUT = object()
WRONG = (WITHOUT, None, 7, -1, 2.5, "abc", True, [], {}, [7], ["abc"], float("nan"), 10**30)
SOURCE = Path("plans.json")


def places(tree, at=()):
    """Every place within dicts and lists."""
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in entries:
        yield (*at, key)
        yield from places(value, (*at, key))


def changed(tree, at, value):
    """A copy in which one place holds another value, or is gone."""
    found = copy.deepcopy(tree)
    parent = found
    for key in at[:-1]:
        parent = parent[key]
    if value is WITHOUT:
        del parent[at[-1]]
    else:
        parent[at[-1]] = value
    return found


@pytest.fixture
def parts(made):
    """A whole model, in the form of JSON."""
    checkpoint = {
        "network_weights": {},
        "init_args": {"configuration": "3d_fullres"},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": [0, 2],
    }
    return {"checkpoint": checkpoint, "plans": made.plans(), "dataset": made.dataset()}


def outcome(parts, options):
    """How an import ends; any error but the two that a user is shown clearly is the test's."""
    folds = {"0": SOURCE}
    try:
        model = read_model(
            read_part(Checkpoint, parts["checkpoint"], SOURCE),
            read_part(Plans, parts["plans"], SOURCE),
            read_part(Dataset, parts["dataset"], SOURCE),
            SOURCE,
            folds,
            dict,
        )
        for source in import_stages(model, None, options).sources.values():
            check_arguments(source.network, source.arguments)
    except (SegcubeError, ValidationError):
        return "refused"
    return "taken"


@pytest.mark.parametrize("part", ["checkpoint", "plans", "dataset"])
def test_every_entry_may_be_missing_or_wrong(parts, options, part):
    ends = [
        outcome({**parts, part: changed(parts[part], at, value)}, options())
        for at in places(parts[part])
        for value in WRONG
    ]
    assert outcome(parts, options()) == "taken"
    assert ends.count("refused") > len(ends) / 2


def without_configuration(made):
    saved = made.checkpoint()
    del saved["init_args"]["configuration"]
    return None, None, saved


CASES = {
    "no configuration": (
        without_configuration,
        "fold_0/checkpoint_final.pth",
        "key 'init_args.configuration' is missing",
    ),
    "a mirror along axis 7": (
        lambda made: (None, None, made.checkpoint(inference_allowed_mirroring_axes=(7,))),
        "fold_0/checkpoint_final.pth",
        "'inference_allowed_mirroring_axes.0' is 7: Input should be less than or equal to 2",
    ),
    "labels of one value": (
        lambda made: (None, made.dataset({"background": 0, "wall": 1, "RA": 1, "LA": 2}), None),
        "dataset.json",
        "two labels of one value: background=[0], wall=[1], RA=[1], LA=[2]; expected a different value",
    ),
    "axes twice": (
        lambda made: (made.plans(transpose_forward=[0, 1, 1]), None, None),
        "plans.json",
        "0, 1 and 2, each once",
    ),
    "a weight that is none": (
        lambda made: (None, None, made.checkpoint(network_weights={"stem": 5})),
        "fold_0/checkpoint_final.pth",
        "'network_weights.stem' is 5: Input should be an instance of Tensor",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_malformed_source_is_refused_with_its_file(folder, made, tmp_path, name):
    make, file, words = CASES[name]
    place = folder(*make(made))
    words_of = ["import", "nnunet", str(place), "--out", str(tmp_path / "out"), "--challenge", "mbas2024"]
    done = CliRunner().invoke(app, words_of)
    assert done.exit_code == 5, done.output
    assert f"{place / file}: " in done.output
    assert words in done.output
    assert not (tmp_path / "out").exists()


def test_a_model_of_many_blocks_is_refused_at_once(folder, made, options):
    architecture = made.plans()["configurations"]["3d_fullres"]["architecture"]
    architecture["arch_kwargs"]["n_conv_per_stage"] = [10**30, 1]
    place = folder(made.plans(architecture=architecture))
    imported = import_nnunet(place, options())
    source = next(iter(imported.sources.values()))
    with pytest.raises(SegcubeError, match="less than or equal to 4096"):
        check_arguments(source.network, source.arguments)
