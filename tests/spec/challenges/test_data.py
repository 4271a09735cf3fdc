"""Compare the shipped challenges with the organisers' rules, transcribed by hand."""

from __future__ import annotations

import re

import pytest

from segcube.spec.challenges import challenge_keys, load_challenge, parse_name
from segcube.spec.challenges.catalogue import ImageName

FOUR = {"t1c": ("-t1c",), "t1n": ("-t1n",), "t2f": ("-t2f",), "t2w": ("-t2w",)}
OLD = {"t1c": ("_t1ce",), "t1n": ("_t1",), "t2f": ("_flair",), "t2w": ("_t2",)}
RADIOTHERAPY = {"t1c": ("_t1c", "-t1c")}
TUMOUR = {"background": 0, "NCR": 1, "ED": 2, "ET": 3}
UNTREATED = {"background": 0, "NETC": 1, "SNFH": 2, "ET": 3}
TREATED = {"background": 0, "NETC": 1, "SNFH": 2, "ET": 3, "RC": 4}
CHILD = {"background": 0, "ET": 1, "NETC": 2, "CC": 3, "ED": 4}
TARGET = {"background": 0, "GTV": 1}
THREE = {"WT": {1, 2, 3}, "TC": {1, 3}, "ET": {3}}
THREE_RC = THREE | {"RC": {4}}
SIX = THREE_RC | {"NETC": {1}, "SNFH": {2}}
CHILD_SIX = {"ET": {1}, "NETC": {2}, "CC": {3}, "ED": {4}, "TC": {1, 2, 3}, "WT": {1, 2, 3, 4}}
GTV = {"GTV": {1}}
SRI, MNI = (240, 240, 155), (182, 218, 182)

# key: channels, labels, scored regions, a case name, another name, shapes if the grid is fixed
TABLE = {
    "brats2021-gli": (
        OLD,
        {"background": 0, "NCR": 1, "ED": 2, "ET": 4},
        {"WT": {1, 2, 4}, "TC": {1, 4}, "ET": {4}},
        "BraTS2021_00042",
        "BraTS2021_0042",
        {SRI},
    ),
    "brats2023-gli": (FOUR, TUMOUR, THREE, "BraTS-GLI-00042-000", "BraTS-GLI-00042", {SRI}),
    "brats2023-ssa": (FOUR, TUMOUR, THREE, "BraTS-SSA-00042-000", "BraTS-GLI-00042-000", {SRI}),
    "brats2023-men": (FOUR, TUMOUR, THREE, "BraTS-MEN-00042-000", "BraTS-MEN-RT-0042-1", {SRI}),
    "brats2023-met": (FOUR, TUMOUR, THREE, "BraTS-MET-00042-000", "BraTS-MET-00042-00", {SRI}),
    "brats2023-ped": (FOUR, TUMOUR, THREE, "BraTS-PED-00042-000", "xBraTS-PED-00042-000", {SRI}),
    "brats2024-goat": (FOUR, UNTREATED, THREE, "BraTS-GoAT-00042", "BraTS-GoAT-00042-000", None),
    "brats2024-gli": (FOUR, TREATED, SIX, "BraTS-GLI-00042-100", "BraTS-GLI-00042-000", {MNI}),
    "brats2024-ssa": (FOUR, UNTREATED, THREE, "BraTS-SSA-00042-000", "BraTS-SSA-00042-0000", {SRI}),
    "brats2024-met": (FOUR, TREATED, THREE_RC, "BraTS-MET-00042-000", "BraTS-MET-0042-000", {SRI}),
    "brats2024-ped": (FOUR, CHILD, CHILD_SIX, "BraTS-PED-00042-000", "BraTS-PED-00042", {SRI}),
    "brats2024-men-rt": (RADIOTHERAPY, TARGET, GTV, "BraTS-MEN-RT-0042-1", "BraTS-MEN-RT-00042-1", None),
    "brats2025-gli": (FOUR, TREATED, SIX, "BraTS-GLI-00042-000", "BraTS-GLI-00042", {SRI, MNI}),
    "brats2025-ssa": (FOUR, UNTREATED, THREE, "BraTS-SSA-00042-000", "BraTS-SSA-00042", None),
    "brats2025-men": (FOUR, UNTREATED, THREE, "BraTS-MEN-00042-000", "BraTS-MEN-00042", None),
    "brats2025-ped": (FOUR, CHILD, CHILD_SIX, "BraTS-PED-00042-000", "BraTS-PED-00042", None),
    "brats2025-met": (FOUR, TREATED, THREE_RC, "BraTS-MET-00042-000", "BraTS-MET-00042", None),
    "brats2025-goat": (FOUR, UNTREATED, THREE, "BraTS-GoAT-00042", "BraTS-GoAT-00042-000", None),
    "brats2025-men-rt": (RADIOTHERAPY, TARGET, GTV, "BraTS-MEN-RT-0042-1", "BraTS-MEN-RT-0042-10", None),
    "brats2026-met": (FOUR, TREATED, THREE_RC, "BraTS-MET-00042", "BraTS-PED-00042-000", None),
    "brats2026-ped": (FOUR, CHILD, CHILD_SIX, "BraTS-PED-00042-000", "BraTS-PED-00042-00", None),
    "brats2026-goat": (FOUR, UNTREATED, THREE, "BraTS-GoAT-00042-000", "BraTS-GoAT-0042", None),
    "mbas2024": (
        {"lge": ("_gt",)},
        {"background": 0, "wall": 1, "RA": 2, "LA": 3},
        {"wall": {1}, "RA": {2}, "LA": {3}},
        "MBAS_042",
        "MBAS_42",
        {(640, 640, 44), (576, 576, 44)},
    ),
    "mbas2026": (
        {"lge": ("_image",)},
        {"background": 0, "RA_wall": 1, "LA_wall": 2, "RA": 3, "LA": 4},
        {"RA_wall": {1}, "LA_wall": {2}, "RA": {3}, "LA": {4}},
        "MBAS_042",
        "MBAS_0042",
        None,
    ),
}

LESIONS = {
    # key: {region: (dilation, threshold)}, penalty, missing case
    "brats2023-gli": (dict.fromkeys(THREE, (3, 50)), 374, 374),
    "brats2023-ssa": (dict.fromkeys(THREE, (3, 50)), 374, 374),
    "brats2023-men": (dict.fromkeys(THREE, (1, 50)), 374, 374),
    "brats2023-ped": (dict.fromkeys(THREE, (3, 50)), 374, 374),
    "brats2023-met": (dict.fromkeys(THREE, (1, 2)), 374, 374),
    "brats2024-gli": (
        {"ET": (3, 10), "TC": (3, 20), "WT": (3, 20), "SNFH": (3, 20), "NETC": (5, 20), "RC": (5, 20)},
        337,
        337,
    ),
    "brats2024-ssa": (dict.fromkeys(THREE, (3, 50)), 374, 374),
    "brats2024-ped": (dict.fromkeys(CHILD_SIX, (5, 10)), 374, 374),
    "brats2024-met": (dict.fromkeys(THREE_RC, (1, 2)), "image_diagonal", 374),
    "brats2024-men-rt": ({"GTV": (1, 50)}, "image_diagonal", 374),
    "brats2025-men": (dict.fromkeys(THREE, (1, 50)), 374, 374),
}
LESIONS |= {
    f"brats2025-{task}": LESIONS[f"brats2024-{task}"] for task in ("gli", "ssa", "ped", "met", "men-rt")
}


def test_the_table_has_all_challenges():
    assert set(TABLE) == set(challenge_keys())


@pytest.mark.parametrize("key", TABLE)
def test_a_challenge_follows_its_organisers_rules(key):
    channels, labels, scored, case, other, shapes = TABLE[key]
    challenge = load_challenge(key)
    assert challenge.key == key
    assert {channel.name: channel.suffixes for channel in challenge.channels} == channels
    assert challenge.labels == labels
    regions = {name: {labels[label] for label in challenge.regions[name]} for name in challenge.scored}
    assert regions == scored
    assert challenge.is_case(case, aliases=False)
    assert not challenge.is_case(other, aliases=False)
    assert {paint.label for paint in challenge.write} == set(labels) - {"background"}
    assert challenge.geometry.fixed == (shapes is not None)
    if shapes:
        assert {grid.shape for grid in challenge.geometry.grids} == shapes
    assert challenge.output_name(case) == (f"{case}_label.nii.gz" if "mbas" in key else f"{case}.nii.gz")


def test_the_usual_orientation():
    for key, shape, orientation in (("brats2023-gli", SRI, "LPS"), ("brats2024-gli", MNI, "LAS")):
        (grid,) = load_challenge(key).geometry.grids
        assert (grid.shape, grid.spacing, grid.orientation) == (shape, (1, 1, 1), orientation)


def test_the_atria_have_no_usual_orientation():
    grids = load_challenge("mbas2024").geometry.grids
    assert {(grid.spacing, grid.orientation) for grid in grids} == {((0.625, 0.625, 2.5), None)}


PATTERNS = {
    r".*(\d{5}-\d{3})\.nii\.gz$": ["brats2023-gli", "brats2023-met"],
    r"(\d{4,5}-\d{1,3})\.nii\.gz$": ["brats2024-gli", "brats2024-men-rt", "brats2025-men"],
    r"(\d{5})\.nii\.gz$": ["brats2024-goat", "brats2025-goat"],
    r"(\d{5}(?:-\d{3})?)\.nii\.gz$": ["brats2026-met", "brats2026-ped", "brats2026-goat"],
}


def test_evaluators_find_the_label_maps():
    for pattern, key in ((pattern, key) for pattern, keys in PATTERNS.items() for key in keys):
        challenge, case = load_challenge(key), TABLE[key][3]
        assert challenge.evaluator_pattern == pattern, key
        match = re.search(pattern, challenge.output_name(case))
        assert match, key
        assert case.endswith(match[1]), key


def test_goat_cases_may_be_named_like_gliomas():
    for year in (2024, 2025, 2026):
        challenge = load_challenge(f"brats{year}-goat")
        assert challenge.is_case("BraTS-GLI-00042-000")
        assert not challenge.is_case("BraTS-GLI-00042-000", aliases=False)
        assert challenge.output_name("BraTS-GLI-00042-000") == "BraTS-GLI-00042-000.nii.gz"


def test_radiotherapy_scans_may_have_a_dash_or_an_underscore():
    case = "BraTS-MEN-RT-0000-1"
    for year in (2024, 2025):
        challenge = load_challenge(f"brats{year}-men-rt")
        for name in (f"{case}_t1c.nii.gz", f"{case}-t1c.nii.gz"):
            assert parse_name(name, challenge) == ImageName(case, ("t1c",))


def lesion_rules(metrics):
    rules = {name: (rule.dilation, rule.threshold) for name, rule in metrics.regions.items()}
    return rules, metrics.penalty, metrics.missing_case


def test_constants_of_lesion_wise_metrics():
    assert {key: lesion_rules(load_challenge(key).metrics) for key in LESIONS} == LESIONS


def test_each_edition_treats_predictions_in_its_own_way():
    for key in LESIONS:
        metrics, old, radiotherapy = load_challenge(key).metrics, "2023" in key, key.endswith("men-rt")
        joined = not old and not key.endswith("-men")
        dropped = "mm3" if radiotherapy else "voxels" if joined else "none"
        assert metrics.profile == ("brats2023" if old else "brats2024"), key
        assert (metrics.join_predictions, metrics.drop_predictions) == (joined, dropped), key
        assert metrics.false_positives == (not radiotherapy), key
        assert metrics.nsd_tolerances == (() if old else (0.5, 1.0)), key


def test_constants_of_instance_metrics():
    for task in ("met", "ped", "goat"):
        metrics = load_challenge(f"brats2026-{task}").metrics
        assert metrics.profile == "brats2026"
        assert (metrics.match_at, metrics.infinity, metrics.missing_case) == (1e-6, 373, 373)
        assert metrics.nsd_tolerance == 0.5
        small = metrics.small_lesions
        assert (small and (small.below, small.detected_at)) == ((27, 0.2) if task == "met" else None)


def test_the_atria_have_metrics_of_whole_masks():
    assert {load_challenge(key).metrics.profile for key in ("mbas2024", "mbas2026")} == {"mbas"}
