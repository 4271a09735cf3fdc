import pytest

from segcube.training.diagnosis.symptoms import log_symptoms

LABELS = ["background", "NCR", "ET"]
RIGHT = [[90, 0, 0], [2, 5, 0], [0, 0, 3]]


def steps(loss, count=200, **seconds):
    seconds = {"data": 0.1, "augment": 0.1, "forward": 0.4, "backward": 0.4} | seconds
    return [{"kind": "step", "step": n, "loss": loss(n), "seconds": seconds} for n in range(1, count + 1)]


def validation(step, mean=0.5, voxels=RIGHT):
    confusion = {"labels": LABELS, "voxels": voxels}
    return {"kind": "validation", "step": step, "mean": {"TC": mean, "ET": mean}, "confusion": confusion}


def falling(step):
    return 0.5 - step / 200


def names(records):
    return [symptom.name for symptom in log_symptoms(records, "fold_0")]


def test_a_training_that_trains_has_no_symptom():
    means = (0.3, 0.6, 0.59, 0.61, 0.58)
    assert names([*steps(falling), *(validation(n, mean) for n, mean in enumerate(means))]) == []


def test_a_log_that_is_too_short_has_none():
    assert names(steps(lambda _: 1.0, count=50)) == []


@pytest.mark.parametrize(
    ("records", "name", "found", "then"),
    [
        (
            steps(lambda n: 0.7 + 0.1 * (n % 2)),
            "loss flat",
            "from 0.7.* to 0.7",
            "--overfit 2",
        ),
        (
            steps(falling, data=3.0),
            "waiting for data",
            "79% of the time: data 3 s a step, augment 0.1 s",
            "local disk",
        ),
        (
            [validation(10, voxels=[[90, 0, 0], [2, 5, 0], [3, 1, 0]])],
            "class never predicted",
            "ET in no map of the validation after step 10",
            "a higher number for ET in sampling.class_weights",
        ),
        (
            [
                validation(10),
                {
                    "kind": "event",
                    "step": 10,
                    "message": "the label maps of all validation cases are the same",
                },
            ],
            "same output everywhere",
            "for every case after step 10",
            "first-batch.png",
        ),
        (
            [validation(n, mean) for n, mean in enumerate((0.4, 0.7, 0.65, 0.66, 0.64))],
            "validation gets worse",
            "0.700 after step 1, 0.650 in the last 3",
            "--checkpoint best",
        ),
    ],
)
def test_planted_faults_are_found(records, name, found, then):
    import re

    (symptom,) = log_symptoms(records, "fold_0")
    assert (symptom.name, symptom.place) == (name, "fold_0")
    assert re.search(found, symptom.found)
    assert then in symptom.then


def test_a_class_that_no_reference_has_is_not_missed():
    assert names([validation(10, voxels=[[90, 0, 0], [2, 5, 0], [0, 0, 0]])]) == []


def test_a_loss_that_is_not_finite_is_a_symptom():
    assert names(steps(lambda _: None, count=4)) == ["loss not finite"]


def test_labels_that_are_not_written_are_not_missed():
    records = [validation(10, voxels=[[90, 0, 0], [2, 5, 0], [3, 1, 0]])]
    assert list(log_symptoms(records, "fold_0", {"NCR"})) == []
