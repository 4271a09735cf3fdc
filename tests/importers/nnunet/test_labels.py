import pytest

from segcube.core import EnvironmentFault, UsageError
from segcube.importers.nnunet.labels import challenge_labels
from segcube.importers.nnunet.model import read_folder


@pytest.fixture
def model(folder, made):
    """A model that declares these labels and this order of regions."""

    def read(labels, order=None, channels=("MRI",)):
        return read_folder(folder(own_dataset=made.dataset(labels, order, channels)))

    return read


def test_labels_are_sorted_by_value_without_the_ignore_label(model, options):
    found = challenge_labels(model({"background": 0, "LA": 3, "wall": 1, "ignore": 4, "RA": 2}), options())

    assert found.outputs.kind == "labels"
    assert found.outputs.names == ("background", "wall", "RA", "LA")
    assert found.labels == ("wall", "RA", "LA")


def test_the_label_option_overrides_the_names(model, options):
    labels = {"background": 0, "one": 1, "two": 2, "three": 3}

    found = challenge_labels(model(labels), options(labels={"RA": 1, "LA": 2, "wall": 3}))

    assert found.outputs.names == ("background", "RA", "LA", "wall")


def test_regions_are_painted_in_nnunets_order_into_the_labels_that_lie_in_the_same_regions(
    model, made, options
):
    found = challenge_labels(model(made.tumour, [1, 2, 3]), options("brats2023-gli"))

    assert found.outputs.kind == "regions"
    assert found.outputs.names == ("WT", "TC", "ET")
    assert [(paint.region, paint.label) for paint in found.paint] == [
        ("WT", "ED"),
        ("TC", "NCR"),
        ("ET", "ET"),
    ]
    assert found.labels == ("ED", "NCR", "ET")


def test_the_label_option_identifies_the_regions(model, options):
    labels = {"background": 0, "a": [1, 2, 3], "b": [1, 3], "c": [3]}

    found = challenge_labels(
        model(labels, [2, 1, 3]), options("brats2023-gli", labels={"NCR": 1, "ED": 2, "ET": 3})
    )

    assert found.outputs.names == ("WT", "TC", "ET")
    assert [paint.label for paint in found.paint] == ["ED", "NCR", "ET"]


def test_regions_that_the_challenge_does_not_have_are_refused_with_its_own(model, options):
    labels = {"background": 0, "a": [1, 2], "b": [2]}

    with pytest.raises(UsageError, match=r"region a holds ED, NCR; expected.*WT: "):
        challenge_labels(model(labels, [1, 2]), options("brats2023-gli", labels={"NCR": 1, "ED": 2}))


def test_a_label_without_a_match_in_the_challenge_is_refused(model, options):
    labels = {"background": 0, "whole tumor": [1, 2, 3, 4], "tumor core": [2, 3], "enhancing tumor": 3}

    with pytest.raises(UsageError, match=r"label 2 is part of TC, WT; expected one label with"):
        challenge_labels(model(labels, [1, 2, 3]), options("brats2024-ped"))


def test_regions_without_their_order_are_refused(model, made, options):
    with pytest.raises(EnvironmentFault, match="regions_class_order None"):
        challenge_labels(model(made.tumour), options("brats2023-gli"))


def test_labels_without_background_are_refused(model, options):
    with pytest.raises(EnvironmentFault, match="expected background with the value 0"):
        challenge_labels(model({"wall": 1}), options())
