"""The faults of scans, applied to images and to label maps of one data set, which is checked once."""

from __future__ import annotations

import pytest

from segcube.spec.challenges import load_challenge
from segcube.training.cases import CheckedData, check_dataset, find_labelled_cases

from ...faults.make_channels import CHANNEL_FAULTS
from ...faults.make_files import DUPLICATE, LINKS, MISSING, NOT_FILE
from ...faults.make_headers import HEADERS
from ...faults.make_streams import STREAMS
from .labelled import LabelFile, make_data, make_labelled, name_of

IMAGES = [*STREAMS, *HEADERS, *CHANNEL_FAULTS, *NOT_FILE, *LINKS, *MISSING, *DUPLICATE]
NOT_FOR_LABELS = {
    *("middle_of_zeros", "bytes_lost", "bytes_twice", "sent_as_text", "link_to_a_cut_file"),
    *("bits_of_another_type", "bad_reference"),
}
"""Faults beyond the end of a compressed label map, or that are none for 8 bits."""
LABELS = [
    fault
    for fault in (*STREAMS, *HEADERS, *NOT_FILE, *LINKS)
    if fault.name not in NOT_FOR_LABELS and "reference" not in fault.name
]
IMAGE_CASES = {fault.name: name_of(number) for number, fault in enumerate(IMAGES, start=1000)}
LABEL_CASES = {fault.name: name_of(number) for number, fault in enumerate(LABELS, start=5000)}
OF_LABELS = {"NDIM": "LABEL_AXES"}
"""Codes that label maps have instead of images."""


@pytest.fixture(scope="module")
def checked(tmp_path_factory) -> CheckedData[None]:
    data = make_data(tmp_path_factory.mktemp("faulty") / "data")
    for seed, fault in enumerate(IMAGES, start=100):
        fault.apply(make_labelled(data / IMAGE_CASES[fault.name], seed))
    for seed, fault in enumerate(LABELS, start=1000):
        make_labelled(data / LABEL_CASES[fault.name], seed)
        fault.apply(LabelFile(data / LABEL_CASES[fault.name], seed))
    return check_dataset(find_labelled_cases(data, load_challenge("brats2023-gli")))


def codes(checked: CheckedData[None], case: str) -> set[str]:
    return {problem.code.value for problem in checked.errors if problem.case == case}


def test_faults_of_images_have_the_code_of_inference(checked):
    assert len(IMAGES) >= 150
    found = {fault.name: codes(checked, IMAGE_CASES[fault.name]) for fault in IMAGES}
    assert {fault.name: found[fault.name] for fault in IMAGES if fault.code not in found[fault.name]} == {}


def test_faults_of_label_files_are_found_too(checked):
    assert len(LABELS) >= 100
    found = {fault.name: codes(checked, LABEL_CASES[fault.name]) for fault in LABELS}
    expected = {fault.name: OF_LABELS.get(fault.code, fault.code) for fault in LABELS}
    assert {name: found[name] for name, code in expected.items() if code not in found[name]} == {}


def test_messages_name_the_label_map(checked):
    for fault in LABELS:
        case = LABEL_CASES[fault.name]
        messages = [problem.message for problem in checked.errors if problem.case == case]
        assert any(f"{case}-seg." in message for message in messages), fault.name


def test_valid_cases_beside_them_have_no_error(checked):
    assert [codes(checked, name_of(number)) for number in range(6)] == [set()] * 6
    faulty = {*IMAGE_CASES.values(), *LABEL_CASES.values(), "BraTS-GLI-99999-999"}
    assert {problem.case for problem in checked.errors} <= faulty
