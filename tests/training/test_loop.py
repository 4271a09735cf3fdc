import contextlib
import math
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from segcube.core import CaseError, Code, EnvironmentFault, ExitCode, python_command
from segcube.core.processes import python_environment
from segcube.training.guards import TrainingFault
from segcube.training.loop import ValidationResult
from segcube.training.recipes import load_recipe
from segcube.training.signals import EndRequested, Requeue
from segcube.training.state import save_state, saved_step

from .toy import ToyBatch, batch_of, run, toy_training


def final_state(folder: Path) -> bytes:
    return (folder / "state-000000020.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(toy_training(folder))
    return folder


def steps_of(folder):
    return [record["step"] for record in toy_training(folder).log.records() if record["kind"] == "step"]


def lines_of(folder):
    return [(record["kind"], record["step"]) for record in toy_training(folder).log.records()]


def test_a_killed_training_continues_to_the_same_bytes(whole, tmp_path):
    rng = np.random.default_rng(0)
    kills = sorted({int(step) for step in rng.integers(1, 20, 10)})
    toy = Path(__file__).with_name("toy.py")
    for step in kills:
        command = python_command(str(toy), str(tmp_path), str(step))
        assert subprocess.run(command, env=python_environment(), check=False).returncode == -signal.SIGKILL
    run(toy_training(tmp_path))
    assert final_state(tmp_path) == final_state(whole)
    assert steps_of(tmp_path) == list(range(1, 21))


def test_a_training_between_two_saves_continues_to_the_same_bytes(whole, tmp_path):
    def ends(key, _clock):
        if key.step == 8:
            raise KeyboardInterrupt
        return batch_of(key)

    with pytest.raises(KeyboardInterrupt):
        run(toy_training(tmp_path, source=ends, save_seconds=math.inf))
    assert not (tmp_path / "state-000000008.json").exists()
    run(toy_training(tmp_path))
    assert final_state(tmp_path) == final_state(whole)
    assert steps_of(tmp_path) == list(range(1, 21))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, ExitCode.TERMINATED), (signal.SIGUSR1, ExitCode.REQUEUE)]
)
def test_a_signal_saves_and_ends(whole, tmp_path, number, code):
    def source(key, _clock):
        if key.step == 7:
            signal.raise_signal(number)
        return batch_of(key)

    with pytest.raises(Requeue) as ended:
        run(toy_training(tmp_path, source=source, save_seconds=math.inf))
    assert ended.value.exit_code == code
    assert (tmp_path / "state-000000008.json").exists()
    run(toy_training(tmp_path))
    assert final_state(tmp_path) == final_state(whole)


def test_a_pause_waits_until_its_file_is_removed(whole, tmp_path, monkeypatch):
    pause = tmp_path / "pause"
    tmp_path.mkdir(exist_ok=True)
    pause.touch()
    slept = []
    monkeypatch.setattr("time.sleep", lambda seconds: (slept.append(seconds), pause.unlink()))
    run(toy_training(tmp_path))
    assert len(slept) == 1
    assert final_state(tmp_path) == final_state(whole)


def test_a_torn_state_falls_back_to_the_older_one(whole, tmp_path):
    run(toy_training(tmp_path, steps=7))
    newest = tmp_path / "state-000000007.safetensors"
    newest.write_bytes(newest.read_bytes()[:-3])
    run(toy_training(tmp_path))
    assert final_state(tmp_path) == final_state(whole)


def test_two_states_are_kept(whole):
    names = sorted(file.name for file in whole.glob("state-*"))
    assert names == [f"state-0000000{n}.{end}" for n in (19, 20) for end in ("json", "safetensors")]


def test_a_state_of_another_recipe_is_refused(tmp_path):
    run(toy_training(tmp_path, steps=3))
    with pytest.raises(EnvironmentFault, match="another recipe"):
        run(toy_training(tmp_path, digest="1" * 64))


def not_finite_once(key, _clock):
    batch = batch_of(key)
    return ToyBatch(batch.image_bcxyz * math.nan, batch.target) if key.step == 3 else batch


def test_a_step_that_is_not_finite_changes_no_weights_and_saves_its_batch(tmp_path):
    counters = run(toy_training(tmp_path, source=not_finite_once))
    assert counters.step == 20
    assert [file.name for file in (tmp_path / "bad").iterdir()] == ["step-000000004.safetensors"]
    updated = {r["step"]: r["updated"] for r in toy_training(tmp_path).log.records() if r["kind"] == "step"}
    assert [step for step, done in updated.items() if not done] == [4]
    weights = toy_training(tmp_path).stepper.network
    assert all(value.isfinite().all() for value in weights.state_dict().values())


def test_too_many_such_steps_end_the_training_and_a_repetition_ends_it_too(tmp_path):
    def source(key, _clock):
        batch = batch_of(key)
        return ToyBatch(batch.image_bcxyz * math.nan, batch.target)

    for _ in range(2):
        with pytest.raises(TrainingFault, match="10 consecutive steps"):
            run(toy_training(tmp_path, source=source))


def out_of_memory_once(network, batch):
    """Fail for batches of more than one sample, as a small GPU would."""

    def refuse(_module, inputs):
        if len(inputs[0]) > batch:
            raise torch.OutOfMemoryError("no memory")

    network.register_forward_pre_hook(refuse)


def test_out_of_memory_divides_the_batch_from_then_on(tmp_path):
    training = toy_training(tmp_path)
    out_of_memory_once(training.stepper.network, batch=1)
    assert run(training).accumulate == 2
    events = [r["event"] for r in training.log.records() if r["kind"] == "event"]
    assert events == ["memory"]


def test_out_of_memory_is_an_error_where_the_loss_is_one_of_the_whole_batch(tmp_path):
    training = toy_training(tmp_path, divisible=False)
    out_of_memory_once(training.stepper.network, batch=1)
    with pytest.raises(TrainingFault, match="keep it from being divided"):
        run(training)


def test_a_plan_that_divides_such_a_batch_is_refused(tmp_path):
    with pytest.raises(TrainingFault, match="whose loss is not that of the batch"):
        run(toy_training(tmp_path, divisible=False, accumulate=2))


def test_the_gradients_of_parts_are_those_of_the_batch(tmp_path):
    gradients = []
    for batch in (2, 1):
        training = toy_training(tmp_path / str(batch), steps=1)
        out_of_memory_once(training.stepper.network, batch=batch)
        run(training)
        gradients.append([p.detach().clone() for p in training.stepper.network.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_a_full_disk_does_not_end_the_training(tmp_path, monkeypatch):
    training = toy_training(tmp_path)
    written = []

    def full(_folder, counters, *_rest):
        if counters.step < 20:
            raise EnvironmentFault("cannot be written: No space left on device")
        written.append(counters.step)

    monkeypatch.setattr("segcube.training.loop.save_state", full)
    run(training)
    # Before the last validation and after it
    assert written == [20, 20]


def ends_after(source, step):
    """A source of batches that asks for the end of the training."""

    def found(key, clock):
        if key.step == step:
            signal.raise_signal(signal.SIGTERM)
        return source(key, clock)

    return found


def test_a_wait_for_data_that_is_ended_saves_the_steps_before_it(whole, tmp_path):
    def source(key, _clock):
        if key.step == 7:
            signal.raise_signal(signal.SIGTERM)
            raise EndRequested
        return batch_of(key)

    with pytest.raises(Requeue):
        run(toy_training(tmp_path, source=source, save_seconds=math.inf))
    assert (tmp_path / "state-000000007.json").exists()
    run(toy_training(tmp_path))
    assert final_state(tmp_path) == final_state(whole)


@pytest.mark.parametrize(("source", "batch"), [(not_finite_once, 2), (lambda key, _clock: batch_of(key), 1)])
def test_a_training_that_a_guard_saved_continues_to_the_same_bytes(source, batch, tmp_path):
    """A step that was skipped, or a batch that was divided, before the training ends at a signal."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder, end in ((whole, math.inf), (parts, 7), (parts, math.inf)):
        training = toy_training(folder, source=ends_after(source, end))
        out_of_memory_once(training.stepper.network, batch)
        with contextlib.nullcontext() if end == math.inf else pytest.raises(Requeue):
            run(training)
    assert final_state(parts) == final_state(whole)


def test_a_training_killed_on_a_full_disk_continues_to_the_same_bytes(whole, tmp_path, monkeypatch):
    saves = save_state

    def full(folder, counters, *rest):
        if 5 <= counters.step < 12:
            raise EnvironmentFault("cannot be written: No space left on device")
        saves(folder, counters, *rest)

    def killed(key, _clock):
        if key.step == 9:
            raise KeyboardInterrupt
        return batch_of(key)

    monkeypatch.setattr("segcube.training.loop.save_state", full)
    with pytest.raises(KeyboardInterrupt):
        run(toy_training(tmp_path, source=killed))
    assert saved_step(tmp_path) == 4
    run(toy_training(tmp_path))
    assert final_state(tmp_path) == final_state(whole)


def test_best_weights_are_those_of_the_highest_score(whole):
    scores = {r["step"]: r["mean"] for r in toy_training(whole).log.records() if r["kind"] == "validation"}
    assert sorted(scores) == [5, 10, 15, 20]
    best = torch.load(whole / "best.pt", weights_only=True)
    assert best.keys() == toy_training(whole / "other").stepper.network.state_dict().keys()


def test_fp16_scales_the_loss_and_resumes(tmp_path):
    overrides = {"precision": "fp16"}
    one, parts = tmp_path / "one", tmp_path / "parts"
    run(toy_training(one, overrides))
    run(toy_training(parts, overrides, steps=9))
    run(toy_training(parts, overrides))
    assert final_state(one) == final_state(parts)


def test_the_rate_follows_the_schedule(tmp_path):
    overrides = {"schedule": load_recipe("nnunet").schedule.model_dump() | {"interval": 1}}
    overrides["optimizer"] = {"kind": "sgd", "learning_rate": 0.1}
    run(toy_training(tmp_path, overrides))
    rates = [r["rate"] for r in toy_training(tmp_path).log.records() if r["kind"] == "step"]
    assert rates == [0.1 * (1 - step / 20) ** 0.9 for step in range(20)]


def test_a_validation_that_fails_does_not_end_the_training(whole, tmp_path):
    def fails(_network, _step):
        raise CaseError(Code.TRUNCATED, "ends early")

    training = toy_training(tmp_path, validate=fails)
    assert run(training).best is None
    events = [r["message"] for r in training.log.records() if r["kind"] == "event"]
    assert events[0] == "the validation after step 5: ends early"
    saved = [load_file(folder / "state-000000020.safetensors") for folder in (tmp_path, whole)]
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[1])


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("no memory"), ValueError("a defect")])
def test_an_unexpected_error_of_a_validation_does_not_end_the_training(tmp_path, error):
    def fails(_network, _step):
        raise error

    training = toy_training(tmp_path, validate=fails, steps=5)
    assert run(training).step == 5
    events = [r["message"] for r in training.log.records() if r["kind"] == "event"]
    assert events == [f"the validation after step 5: {type(error).__name__}: {error}"]


@pytest.mark.parametrize("step", [10, 20])
@pytest.mark.parametrize("logged", [False, True])
def test_a_training_killed_during_a_validation_repeats_that_alone(whole, tmp_path, logged, step):
    """Killed before the validation's record is written, and after it."""
    training = toy_training(tmp_path, save_seconds=math.inf)

    def validate(network, at):
        if at == step and not logged:
            raise KeyboardInterrupt
        return training.validate(network, at)

    def follow(record):
        if (record["kind"], record["step"]) == ("validation", step):
            raise KeyboardInterrupt

    log = replace(training.log, followers=(follow,))
    with pytest.raises(KeyboardInterrupt):
        run(replace(training, validate=validate, log=log))
    assert saved_step(tmp_path) == step
    run(toy_training(tmp_path))
    for name in ("state-000000020.safetensors", "state-000000020.json"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    assert lines_of(tmp_path) == lines_of(whole)


def test_a_validation_that_is_killed_each_time_is_left_out(tmp_path):
    def killed(_network, step):
        if step == 10:
            raise KeyboardInterrupt
        return toy_training(tmp_path).validate(_network, step)

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(toy_training(tmp_path, validate=killed))
    assert run(toy_training(tmp_path, validate=killed)).step == 20
    validated = [step for kind, step in lines_of(tmp_path) if kind == "validation"]
    assert validated == [5, 15, 20]
    (event,) = [r for r in toy_training(tmp_path).log.records() if r["kind"] == "event"]
    assert event["message"].startswith("the validation after step 10 was killed 3 times: it is left out")


def test_warnings_of_a_validation_are_events(tmp_path):
    def warns(_network, _step):
        return ValidationResult(0.5, 0.5, {"mean": {}}, ("ET is predicted in no validation case",))

    training = toy_training(tmp_path, validate=warns, steps=5)
    run(training)
    events = [r["message"] for r in training.log.records() if r["kind"] == "event"]
    assert events == ["step 5: ET is predicted in no validation case"]
