"""Faulty training data: each fault is named by its reason code before the first step."""

from __future__ import annotations

from collections import Counter

import pytest

from segcube.training.cases import check_dataset, find_labelled_cases

from .faulty_data import DATA_FAULTS
from .faulty_labels import LABEL_FAULTS
from .labelled import DataFault

FAULTS = [*LABEL_FAULTS, *DATA_FAULTS]
USUAL = {"GEOMETRY"}
"""Notices of every synthetic case: they are smaller than the challenge's."""


def test_the_faults_are_many_and_each_has_a_name_of_its_own():
    assert len(FAULTS) >= 60
    assert max(Counter(fault.name for fault in LABEL_FAULTS).values()) == 1
    assert max(Counter(fault.name for fault in DATA_FAULTS).values()) == 1


def test_valid_data_has_no_problem(valid_data, glioma):
    checked = check_dataset(find_labelled_cases(valid_data, glioma))
    assert len(checked.cases) == 6
    assert {problem.code for problem in checked.problems} == USUAL
    assert checked.errors == ()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.code}-{fault.name}")
def test_faults_are_named_by_their_code_and_their_file(damaged, glioma, fault: DataFault):
    fault.apply(damaged)
    checked = check_dataset(find_labelled_cases(damaged.data, glioma, ignore=fault.ignore))
    found = [problem for problem in checked.problems if problem.code == fault.code]
    assert [problem.is_error for problem in found] == [fault.is_error] * len(found) != []
    assert any(fault.names in problem.message and fault.hint in problem.message for problem in found), found
    assert {problem.code for problem in checked.errors} == ({fault.code} if fault.is_error else set())
