"""Too little memory, and threads that die."""

from __future__ import annotations

import shutil

import pytest

from .conftest import SOUND
from .make_case import make_case
from .make_streams import BOMB

ROOM_FOR_MORE = """
import resource
now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + {megabytes} * 2**20,) * 2)
"""


def test_a_case_that_memory_does_not_hold_costs_itself(commands, data, sound_on_torch, room):
    """On torch: OpenVINO waits for ever where an address space ends."""
    shutil.copytree(data, room / "data")
    make_case(room / "data" / "BraTS-GLI-00002-500", shape=(256, 256, 160))
    ended = commands.run(room / "data", room / "out", before=ROOM_FOR_MORE.format(megabytes=300))
    assert ended.expect(3, sound=sound_on_torch).codes() == {"BraTS-GLI-00002-500": "MEMORY"}
    assert ended.maps() == sound_on_torch


@pytest.mark.parametrize("channel", ["t1c", "t1n"])
def test_a_bomb_takes_no_memory(commands, room, sound, channel):
    """Against the same case without it: 4 GiB of zeros in 4 MB."""
    case = make_case(room / "data" / SOUND[0])
    plain = commands.run(room / "data", room / "out").expect(0, sound=sound)
    case.put(case.packed(channel) + BOMB, channel)
    bomb = commands.run(room / "data", room / "out of bomb").expect(4, sound=sound)
    assert bomb.codes() == {SOUND[0]: "TOO_LARGE"}
    assert bomb.peak - plain.peak < 100


def test_memory_that_holds_no_case_costs_every_case(commands, room):
    names = ["BraTS-GLI-00001-500", "BraTS-GLI-00002-500"]
    for name in names:
        make_case(room / "data" / name, shape=(256, 256, 160))
    ended = commands.run(room / "data", room / "out", before=ROOM_FOR_MORE.format(megabytes=300))
    assert ended.expect(4, sound={}).codes() == dict.fromkeys(names, "MEMORY")


def test_an_address_space_too_small_for_torch_ends_the_run_before_its_first_case(commands, data, room):
    before = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**30 - 1,) * 2)"
    ended = commands.run(data, room / "out", before=before).expect(5, sound={})
    assert "raise ulimit -v" in ended.stderr
    assert ended.maps() == {}


READER_DIES = f"""
import segcube.inference.folder.prefetch as reading
whole = reading.inputs_digest
def dies(case):
    if case.name == {SOUND[1]!r}:
        raise SystemExit('the thread dies')
    return whole(case)
reading.inputs_digest = dies
"""


def test_a_reading_thread_that_dies_costs_its_case(commands, data, sound, room):
    ended = commands.run(data, room / "out", before=READER_DIES).expect(3, sound=sound)
    assert ended.codes() == {SOUND[1]: "INTERNAL"}


def test_a_writing_thread_that_dies_costs_its_case(commands, data, sound, room):
    before = READER_DIES.replace("reading.inputs_digest", "writing.write_label_map")
    before = before.replace("runs.reading as reading", "runs.writing as writing")
    before = before.replace("dies(case)", "dies(p, *a)").replace("case.name", "p.case.name")
    before = before.replace("whole(case)", "whole(p, *a)")
    ended = commands.run(data, room / "out", before=before).expect(3, sound=sound)
    assert ended.codes() == {SOUND[1]: "INTERNAL"}


def test_a_fault_that_nobody_foresaw_is_one_line(commands, data, room):
    before = (
        "import segcube.inference.folder.run as run\n"
        "def fails(*a):\n  raise KeyError('surprise')\nrun.select = fails"
    )
    ended = commands.run(data, room / "out", before=before).expect(1, sound={})
    assert "KeyError: 'surprise'" in ended.stderr
