import pytest

from segcube.core import UsageError
from segcube.importers.names import match_channels, match_labels, match_regions
from segcube.spec.challenges import load_challenge

GLIOMA = load_challenge("brats2023-gli")
ATRIA = load_challenge("mbas2024")


def test_plain_channel_names_match():
    for found in (
        ["t2f", "t1n", "t1c", "t2w"],
        ["FLAIR", "T1", "T1ce", "T2"],
        ["T2-FLAIR", "t1w", "T1Gd", "T2w"],
        ["flair_0000", "t1_0001", "t1c_0002", "t2_0003"],
        ["-t2f", "-t1n", "-t1c", "-t2w"],
    ):
        assert match_channels(found, GLIOMA) == ("t2f", "t1n", "t1c", "t2w")


def test_a_single_channel_needs_no_name():
    assert match_channels(["whatever"], ATRIA) == ("lge",)


def test_other_and_repeated_channel_names_are_refused_with_both_lists():
    for found in (["t1", "t1n", "t2", "flair"], ["t1", "t1c", "t2", "x"]):
        words = rf"{', '.join(found)}; expected .* t1c, t1n, t2f, t2w; .*--channels"
        with pytest.raises(UsageError, match=words):
            match_channels(found, GLIOMA)


def test_the_option_overrules_channel_names():
    assert match_channels(["a", "b"], GLIOMA, ["t2w", "t1c"]) == ("t2w", "t1c")


def test_an_option_that_does_not_fit_is_refused():
    for given in (["t1c"], ["t1c", "t1c"], ["t1c", "adc"]):
        with pytest.raises(UsageError, match=r"--channels .* the source's 2 channels a, b"):
            match_channels(["a", "b"], GLIOMA, given)


def test_plain_label_names_match_whatever_their_values():
    found = {0: "bg", 3: "Right Atrium", 2: "atrial wall", 1: "LA cavity"}
    assert match_labels(found, ATRIA) == {0: "background", 3: "RA", 2: "wall", 1: "LA"}


def test_other_label_names_are_refused_with_both_lists():
    with pytest.raises(UsageError, match=r"1, 2, 3; expected .* wall, RA, LA; .*--labels"):
        match_labels({0: "0", 1: "1", 2: "2", 3: "3"}, ATRIA)


def test_the_option_overrules_label_names():
    found = {0: "0", 1: "1", 2: "2", 3: "3"}
    wanted = {0: "background", 1: "RA", 2: "LA", 3: "wall"}
    assert match_labels(found, ATRIA, {"RA": 1, "LA": 2, "wall": 3}) == wanted


def test_label_options_that_do_not_fit_are_refused():
    for given in ({"RA": 1}, {"RA": 1, "LA": 2, "aorta": 3}, {"RA": 1, "LA": 2, "wall": 4}):
        with pytest.raises(UsageError, match="for the source's labels 0=0, 1=1, 2=2, 3=3"):
            match_labels({value: str(value) for value in range(4)}, ATRIA, given)


def test_an_exact_name_comes_before_its_synonyms():
    both = GLIOMA.model_copy(update={"labels": {"background": 0, "NCR": 1, "NETC": 2}})
    assert match_labels({0: "", 5: "NETC", 6: "NCR"}, both) == {0: "background", 5: "NETC", 6: "NCR"}


def test_a_synonym_of_two_names_is_refused():
    both = GLIOMA.model_copy(update={"labels": {"background": 0, "NCR": 1, "NETC": 2}})
    with pytest.raises(UsageError, match="necrosis, ET"):
        match_labels({0: "", 5: "necrosis", 6: "ET"}, both)


def test_regions_match_by_words():
    assert match_regions(["whole tumor", "Tumor Core", "enhancing"], GLIOMA) == ("WT", "TC", "ET")
    with pytest.raises(UsageError, match="regions are left"):
        match_regions(["left"], GLIOMA)
