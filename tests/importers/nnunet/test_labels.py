import pytest

from segcube.core import EnvironmentFault, UsageError
from segcube.importers.nnunet.labels import decide
from segcube.importers.nnunet.model import read_folder


@pytest.fixture
def model(folder, made):
    """A model that declares these labels and this order of regions."""

    def read(labels, order=None, channels=("MRI",)):
        return read_folder(folder(own_dataset=made.dataset(labels, order, channels)))

    return read


def test_labels_come_by_rising_value_without_the_ignore_label(model, wishes):
    found = decide(model({"background": 0, "LA": 3, "wall": 1, "ignore": 4, "RA": 2}), wishes())

    assert found.outputs.kind == "labels"
    assert found.outputs.names == ("background", "wall", "RA", "LA")
    assert found.labels == ("wall", "RA", "LA")


def test_the_options_values_overrule_the_names(model, wishes):
    labels = {"background": 0, "one": 1, "two": 2, "three": 3}

    found = decide(model(labels), wishes(labels={"RA": 1, "LA": 2, "wall": 3}))

    assert found.outputs.names == ("background", "RA", "LA", "wall")


def test_regions_are_painted_in_nnunets_order_into_the_labels_that_lie_in_the_same_regions(
    model, made, wishes
):
    found = decide(model(made.tumour, [1, 2, 3]), wishes("brats2023-gli"))

    assert found.outputs.kind == "regions"
    assert found.outputs.names == ("WT", "TC", "ET")
    assert [(paint.region, paint.label) for paint in found.paint] == [
        ("WT", "ED"),
        ("TC", "NCR"),
        ("ET", "ET"),
    ]
    assert found.labels == ("ED", "NCR", "ET")


def test_the_options_values_tell_which_regions_these_are(model, wishes):
    labels = {"background": 0, "a": [1, 2, 3], "b": [1, 3], "c": [3]}

    found = decide(model(labels, [2, 1, 3]), wishes("brats2023-gli", labels={"NCR": 1, "ED": 2, "ET": 3}))

    assert found.outputs.names == ("WT", "TC", "ET")
    assert [paint.label for paint in found.paint] == ["ED", "NCR", "ET"]


def test_regions_that_the_challenge_does_not_have_are_refused_with_its_own(model, wishes):
    labels = {"background": 0, "a": [1, 2], "b": [2]}

    with pytest.raises(UsageError, match=r"region a holds ED, NCR; expected.*WT: "):
        decide(model(labels, [1, 2]), wishes("brats2023-gli", labels={"NCR": 1, "ED": 2}))


def test_a_label_that_no_one_label_of_the_challenge_matches_is_told(model, wishes):
    labels = {"background": 0, "whole tumor": [1, 2, 3, 4], "tumor core": [2, 3], "enhancing tumor": 3}

    with pytest.raises(UsageError, match=r"label 2 lies in TC, WT; expected one label there"):
        decide(model(labels, [1, 2, 3]), wishes("brats2024-ped"))


def test_regions_without_their_order_are_refused(model, made, wishes):
    with pytest.raises(EnvironmentFault, match="regions_class_order None"):
        decide(model(made.tumour), wishes("brats2023-gli"))


def test_labels_without_background_are_refused(model, wishes):
    with pytest.raises(EnvironmentFault, match="expected background with the value 0"):
        decide(model({"wall": 1}), wishes())
