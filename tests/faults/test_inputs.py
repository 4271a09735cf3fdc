"""One run over every fault of an input, together with valid cases."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from .commands import CommandResult, Commands, labels_of
from .conftest import SOUND, UNPRIVILEGED, open_to_all
from .make_case import Fault, make_case
from .make_channels import CHANNEL_FAULTS
from .make_files import FILES
from .make_headers import HEADERS
from .make_streams import STREAMS
from .make_variants import VARIANTS, WITH_NOTICE, WITHOUT_NOTICE

FAULTS = [*STREAMS, *HEADERS, *FILES, *CHANNEL_FAULTS]
USUAL = {"GEOMETRY"}
"""Notices of every synthetic case: they are smaller than the challenge's."""


def name_of(number: int) -> str:
    return f"BraTS-GLI-{number:05d}-000"


NAMES = {fault.name: name_of(number) for number, fault in enumerate(FAULTS, start=100)}
VARIANT_NAMES = {fault.name: name_of(number) for number, fault in enumerate(VARIANTS, start=2000)}


def fill(folder: Path, faults: list[Fault], names: dict[str, str], sound: Path) -> Path:
    shutil.copytree(sound, folder)
    for fault in faults:
        fault.apply(make_case(folder / names[fault.name]))
    return folder


@pytest.fixture(scope="module")
def faulty(base: Path, commands: Commands, data: Path) -> CommandResult:
    """Every fault beside the valid cases, in a run to which file permissions apply."""
    folder = fill(base / "faulty", FAULTS, NAMES, data)
    return commands.run(folder, open_to_all(base / "of faulty"), before=UNPRIVILEGED)


@pytest.fixture(scope="module")
def odd(base: Path, commands: Commands, data: Path) -> CommandResult:
    """Every variant of the first valid case."""
    folder = fill(base / "odd", VARIANTS, VARIANT_NAMES, data)
    return commands.run(folder, base / "of odd", "--verbose")


def test_the_faults_are_many_and_each_has_a_name_of_its_own():
    assert len(FAULTS) >= 90
    assert max(Counter(fault.name for fault in [*FAULTS, *VARIANTS]).values()) == 1


def test_bad_cases_do_not_affect_others(faulty, sound):
    faulty.expect(3, sound=sound)
    assert sorted(faulty.maps()) == sorted(sound)


def test_faults_are_refused_by_their_code(faulty):
    found, lines = faulty.codes(), faulty.stderr
    assert {fault.name: found.get(NAMES[fault.name]) for fault in FAULTS} == {f.name: f.code for f in FAULTS}
    assert [f.name for f in FAULTS if f"{NAMES[f.name]}: {f.code}: " not in lines] == []


def test_refused_cases_need_no_memory(faulty, commands, data, base, sound):
    """Compared with the valid cases alone: two faults would decompress to 4 GiB, and headers claim more."""
    plain = commands.run(data, base / "of sound cases").expect(0, sound=sound)
    assert faulty.peak - plain.peak < 100


def test_the_same_voxels_give_the_same_labels(odd):
    plain = labels_of(odd.output / f"{SOUND[0]}.nii.gz")
    found = {name: labels_of(odd.output / f"{case}.nii.gz") for name, case in VARIANT_NAMES.items()}
    assert len(np.unique(plain)) > 1
    assert [name for name, labels in found.items() if not np.array_equal(labels, plain)] == []


def test_odd_cases_do_not_change_other_maps(odd, sound):
    assert odd.code == 0, odd.stderr
    assert {name: odd.maps()[name] for name in sound} == sound
    assert len(odd.maps()) == len(sound) + len(VARIANTS)


def test_odd_cases_get_their_notice(odd):
    found = {fault.name: notices(odd, VARIANT_NAMES[fault.name]) for fault in WITH_NOTICE}
    assert [fault.name for fault in WITH_NOTICE if fault.code not in found[fault.name]] == []
    lines = {fault.name: f"{VARIANT_NAMES[fault.name]}: {fault.code}: " for fault in WITH_NOTICE}
    assert [name for name, line in lines.items() if line not in odd.stderr] == []


def test_valid_variants_get_no_notice(odd):
    found = {fault.name: notices(odd, VARIANT_NAMES[fault.name]) for fault in WITHOUT_NOTICE}
    assert {name: codes for name, codes in found.items() if codes} == {}


def test_names_cannot_write_lines_or_commands_of_their_own(odd):
    assert "\x1b" not in odd.stderr
    assert "\x07" not in odd.stderr
    assert "\nsecond" not in odd.stderr
    assert r"first\nsecond" in odd.stderr
    assert "[red]:brain: 🧠" in odd.stderr


def notices(ended: CommandResult, name: str) -> set[str]:
    (case,) = [case for case in ended.report["cases"] if case["case"] == name]
    assert case["status"] == "done"
    return {notice["code"] for notice in case["notices"]} - USUAL
