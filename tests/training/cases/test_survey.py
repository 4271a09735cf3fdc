import numpy as np
import pytest

from segcube.training.cases import check_dataset, find_labelled_cases

from .labelled import BAD, COUNT, labels, name_of

NAMES = [name_of(number) for number in range(COUNT)]


def test_label_voxels_of_all_cases_are_summed(valid_data, glioma):
    checked = check_dataset(find_labelled_cases(valid_data, glioma))
    expected = sum(np.bincount(labels(seed).ravel(), minlength=4) for seed in range(COUNT))
    assert list(checked.label_voxels.values()) == expected.tolist()


def test_valid_cases_are_measured_while_they_are_in_memory(damaged, glioma):
    damaged.label().file().write_bytes(b"")
    data = find_labelled_cases(damaged.data, glioma)
    checked = check_dataset(data, lambda case: int(case.volume.voxels[0].max() + case.labels_xyz.max()))
    assert sorted(checked.measures) == [name for name in NAMES if name != NAMES[BAD]]
    assert checked.measures[NAMES[0]] == damaged.case(0).voxels("t1c").max() + 3
    assert [case.is_valid for case in checked.cases] == [number != BAD for number in range(COUNT)]


def test_each_case_is_reported_in_order(valid_data, glioma):
    seen: list[str] = []
    check_dataset(find_labelled_cases(valid_data, glioma), on_case=seen.append)
    assert seen == NAMES


def test_errors_of_the_measurement_are_raised(valid_data, glioma):
    with pytest.raises(ZeroDivisionError):
        check_dataset(find_labelled_cases(valid_data, glioma), lambda _: 1 // 0)


def test_problems_of_discovery_come_first(damaged, glioma):
    damaged.label().file().unlink()
    checked = check_dataset(find_labelled_cases(damaged.data, glioma))
    assert checked.problems[0].code == "LABEL_MISSING"
    assert checked.errors == checked.problems[:1]


def test_a_copied_case_is_no_copied_label_map_as_well(damaged, glioma):
    for channel in ("t1c", "t1n", "t2f", "t2w", "seg"):
        damaged.copy(damaged.case(0).file(channel), damaged.case().file(channel))
    checked = check_dataset(find_labelled_cases(damaged.data, glioma))
    assert [problem.code.value for problem in checked.errors] == ["SAME_IMAGE"]


def test_too_few_valid_cases_are_no_error_beside_those_of_the_others(damaged, glioma):
    for number in range(1, COUNT):
        damaged.label(number).file().write_bytes(b"")
    checked = check_dataset(find_labelled_cases(damaged.data, glioma))
    assert {problem.code.value for problem in checked.errors} == {"EMPTY_FILE"}
    assert "FEW_CASES" in {problem.code.value for problem in checked.problems}
