"""Symptoms in the log of a training."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from segcube.spec.challenges import BACKGROUND
from segcube.training.log import Record

FEWEST_STEPS = 100
"""With fewer, a loss that has not fallen is no symptom."""
PARTS = 10
"""Of the log; its first and last are compared."""
LEAST_FALL = 0.05
"""Of the loss between these, absolute: soft Dice and entropy both have the order of 1."""
WAITING = 0.5
"""Share of a step's time for data and augmentation, above which the device waits for them."""
WORSE = 0.03
"""Mean Dice below the best, in the last validations, of a training that gets worse."""
LAST_VALIDATIONS = 3
EVER = "find out whether the network can overfit a few patches: segcube train RUN --fold N --overfit 2"


@dataclass(frozen=True)
class Symptom:
    """Something that keeps a training from training.

    name: short, such as `loss flat`. place: the fold or the data. found: with numbers. then: what to do next.
    """

    name: str
    place: str
    found: str
    then: str


def log_symptoms(
    records: Sequence[Record], place: str, written: Collection[str] | None = None
) -> Iterator[Symptom]:
    """Find symptoms in the records of a fold's log; written: labels of the maps, None for all."""
    steps = [record for record in records if record["kind"] == "step"]
    validations = [record for record in records if record["kind"] == "validation"]
    yield from _flat_loss(steps, place)
    yield from _waiting(steps, place)
    if validations:
        yield from _missing_classes(validations[-1], place, written)
        yield from _same_output(records, validations[-1], place)
        yield from _worse(validations, place)


def _flat_loss(steps: Sequence[Record], place: str) -> Iterator[Symptom]:
    losses = [record["loss"] for record in steps if record.get("loss") is not None]
    if 2 * len(losses) < len(steps):
        found = f"in {len(steps) - len(losses)} of {len(steps)} steps"
        then = "look at the batches in RUN/fold_N/bad; precision fp32 or a lower learning rate may help"
        yield Symptom("loss not finite", place, found, then)
    if len(losses) < FEWEST_STEPS:
        return
    size = len(losses) // PARTS
    first, last = median(losses[:size]), median(losses[-size:])
    if first - last < LEAST_FALL:
        found = f"from {first:.3f} in the first tenth of the steps to {last:.3f} in the last"
        then = f"{EVER}; with a lower or higher learning rate: --set optimizer.learning_rate=X"
        yield Symptom("loss flat", place, found, then)


def _waiting(steps: Sequence[Record], place: str) -> Iterator[Symptom]:
    seconds = [record["seconds"] for record in steps[1:]]
    total = sum(sum(one.values()) for one in seconds)
    waiting = sum(one.get("data", 0.0) + one.get("augment", 0.0) for one in seconds)
    if total and waiting > WAITING * total:
        parts = {name: fmean(one.get(name, 0.0) for one in seconds) for name in ("data", "augment")}
        found = f"{waiting / total:.0%} of the time: " + ", ".join(
            f"{name} {value:.3g} s a step" for name, value in parts.items()
        )
        then = (
            "put RUN/cache on a local disk, give the process more cores (SEGCUBE_THREADS), or train on a GPU"
        )
        yield Symptom("waiting for data", place, found, then)


def _missing_classes(validation: Record, place: str, written: Collection[str] | None) -> Iterator[Symptom]:
    confusion = validation["confusion"]
    labels, voxels = confusion["labels"], confusion["voxels"]
    for number, label in enumerate(labels):
        predicted = sum(row[number] for row in voxels)
        if label == BACKGROUND or (written is not None and label not in written):
            continue
        if sum(voxels[number]) and not predicted:
            found = f"{label} in no map of the validation after step {validation['step']}"
            then = (
                f"more patches of it: --set sampling.foreground=0.66, or a higher number for {label} in "
                "sampling.class_weights; look at first-batch.png for its labels"
            )
            yield Symptom("class never predicted", place, found, then)


def _same_output(records: Sequence[Record], validation: Record, place: str) -> Iterator[Symptom]:
    messages = [
        str(record["message"])
        for record in records
        if record["kind"] == "event" and record["step"] == validation["step"]
    ]
    if any("are the same" in message for message in messages):
        found = f"the same label map for every case after step {validation['step']}"
        then = f"look at the images in first-batch.png, which may be constant; {EVER}"
        yield Symptom("same output everywhere", place, found, then)


def _worse(validations: Sequence[Record], place: str) -> Iterator[Symptom]:
    means = [(record["step"], fmean(record["mean"].values())) for record in validations]
    step, best = max(means, key=lambda one: one[1])
    last = [mean for at, mean in means if at > step][-LAST_VALIDATIONS:]
    if len(last) == LAST_VALIDATIONS and all(mean < best - WORSE for mean in last):
        found = f"mean Dice {best:.3f} after step {step}, {fmean(last):.3f} in the last {LAST_VALIDATIONS}"
        then = "take segcube validate --checkpoint best; more cases (--extra), more augmentation, fewer steps"
        yield Symptom("validation gets worse", place, found, then)
