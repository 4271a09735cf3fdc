"""The schedule-free average of a checkpoint, against schedulefree's own."""

import pytest
import schedulefree
import torch

from segcube.core import EnvironmentFault
from segcube.importers import ImportOptions, read_target, write_imported
from segcube.importers.lightning import LightningOptions, import_lightning

from ..originals import original_state

AVERAGE = LightningOptions(weights_of="average")
FROZEN = ("dummy_tensor", "stem.weight")


@pytest.fixture
def options():
    return ImportOptions(read_target("brats2023-gli"), "imported")


def trained(evaluation=False):
    """Weights as a trainer saves them, the optimizer's state, and the average, after three steps."""
    generator = torch.Generator().manual_seed(7)
    state = {name: torch.nn.Parameter(tensor) for name, tensor in original_state(0).items()}
    optimizer = schedulefree.AdamWScheduleFree(state.values(), lr=0.0027, weight_decay=0)
    optimizer.train()
    for _ in range(3):
        for name, tensor in state.items():
            tensor.grad = None if name in FROZEN else torch.randn(tensor.shape, generator=generator)
        optimizer.step()
    last = {name: tensor.detach().clone() for name, tensor in state.items()}
    kept = optimizer.state_dict()
    optimizer.eval()
    average = {name: tensor.detach().clone() for name, tensor in state.items()}
    return (average if evaluation else last), (optimizer.state_dict() if evaluation else kept), average


@pytest.fixture
def trained_checkpoint(checkpoint):
    """Write a checkpoint of `trained`, its optimizer's state changed."""

    def write(change=lambda state: state, prefix="model.", evaluation=False, extra=None):
        last, kept, average = trained(evaluation)
        named = {prefix + name: tensor for name, tensor in last.items()}
        file = checkpoint(
            "a.ckpt", prefix=prefix, extra={**named, **(extra or {})}, optimizers=change([kept])
        )
        return file, last, average

    return write


def weights_of(imported):
    return next(iter(imported.sources.values())).read()


def same(found, expected):
    return all(
        torch.allclose(found[name], tensor, rtol=0, atol=1e-6)
        for name, tensor in expected.items()
        if not name.startswith("out_")
    )


def test_the_average_is_that_of_schedulefree(trained_checkpoint, options):
    file, last, average = trained_checkpoint(prefix="model.model.")
    found = weights_of(import_lightning([file], options, AVERAGE))
    assert same(found, average)
    assert not same(found, last)
    head = found["out_0.conv_out.weight"].transpose(0, 1)
    torch.testing.assert_close(head, average["out_0.conv_out.weight"], rtol=0, atol=1e-6)


def test_the_saved_weights_are_taken_without_the_option(trained_checkpoint, options):
    file, last, _ = trained_checkpoint()
    imported = import_lightning([file], options)
    assert same(weights_of(imported), last)
    assert any("as last saved; --weights-of average takes" in note for note in imported.notes)


def test_the_card_names_the_weights_that_were_taken(trained_checkpoint, options, tmp_path):
    file, *_ = trained_checkpoint()
    write_imported(import_lightning([file], options, AVERAGE), tmp_path / "out")
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "schedule-free average x = y.lerp(z, 1 - 1 / 0.9)" in card
    assert "2 tensors without a gradient as saved" in card


def test_weights_saved_in_evaluation_mode_are_the_average(trained_checkpoint, options):
    file, _, average = trained_checkpoint(evaluation=True)
    assert same(weights_of(import_lightning([file], options, AVERAGE)), average)


def test_parameters_beside_the_network_are_counted(trained_checkpoint, options):
    def one_more(states):
        states[0]["param_groups"][0]["params"].append(len(states[0]["param_groups"][0]["params"]))
        return states

    file, _, average = trained_checkpoint(one_more, extra={"loss.weight": torch.ones(1)})
    assert same(weights_of(import_lightning([file], options, AVERAGE)), average)


def without_z(states):
    for state in states[0]["state"].values():
        state.pop("z", None)
    return states


def of_another_shape(states):
    states[0]["state"][5]["z"] = torch.ones(3)
    return states


def fewer_parameters(states):
    group = states[0]["param_groups"][0]
    group["params"] = group["params"][-26:]
    return states


def fewer_and_renumbered(states):
    states[0]["param_groups"][0]["params"] = list(range(26))
    states[0]["state"] = {number: state for number, state in states[0]["state"].items() if number < 26}
    return states


def two_groups(states):
    states[0]["param_groups"] *= 2
    return states


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: [], "optimizer_states hold 0 optimizers"),
        (lambda states: states * 2, "optimizer_states hold 2 optimizers"),
        (without_z, "keeps no z and beta"),
        (of_another_shape, r"z of parameter 5 has the shape \(3,\); expected \(2,\), as model.enc_block_0"),
        (fewer_parameters, "its optimizer's state is damaged"),
        (fewer_and_renumbered, "the optimizer was given 26 parameters; expected 165, as the network has"),
        (two_groups, "its optimizer has 2 groups of parameters"),
        (lambda _: [{"state": 5, "param_groups": {"a": 1}}], "has 0 groups"),
    ],
)
def test_an_average_that_cannot_be_made_is_refused(trained_checkpoint, options, change, words):
    file, *_ = trained_checkpoint(change)
    with pytest.raises(
        EnvironmentFault, match=rf"a.ckpt: gives no schedule-free average: .*{words}"
    ) as caught:
        import_lightning([file], options, AVERAGE)
    assert caught.value.hint.endswith("--weights-of last")
