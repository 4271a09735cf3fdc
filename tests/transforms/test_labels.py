import numpy as np

from segcube.transforms.label_rules import keep_largest, replace_small


def test_lesser_components_become_background(row, digits):
    assert digits(keep_largest(row("1101220222"), [2], 0, 26)) == "1101000222"


def test_labels_taken_together_are_one_object(row, digits):
    assert digits(keep_largest(row("1120110333"), [1, 2], 0, 26)) == "1120000333"


def test_an_absent_label_stays_absent(row, digits):
    assert digits(keep_largest(row("110"), [2], 0, 26)) == "110"
    assert digits(replace_small(row("110"), 2, 1, 9)) == "110"


def test_a_label_of_few_voxels_becomes_another(row, digits):
    assert digits(replace_small(row("3302"), 3, 1, 3)) == "1102"
    assert digits(replace_small(row("3302"), 3, 1, 2)) == "3302"


def test_types_stay(row):
    assert keep_largest(row("110"), [1], 0, 26).dtype == np.uint8
    assert replace_small(row("110"), 1, 2, 9).dtype == np.uint8
