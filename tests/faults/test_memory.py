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


def test_a_case_too_large_for_memory_fails_alone(commands, data, sound_on_torch, room):
    """With torch: OpenVINO hangs at a limit of the address space."""
    shutil.copytree(data, room / "data")
    make_case(room / "data" / "BraTS-GLI-00002-500", shape=(256, 256, 160))
    ended = commands.run(room / "data", room / "out", before=ROOM_FOR_MORE.format(megabytes=300))
    assert ended.expect(3, sound=sound_on_torch).codes() == {"BraTS-GLI-00002-500": "MEMORY"}
    assert ended.maps() == sound_on_torch


@pytest.mark.parametrize("channel", ["t1c", "t1n"])
def test_a_gzip_bomb_needs_no_memory(commands, room, sound, channel):
    """Compared with the same case without it: 4 GiB of zeros in 4 MB."""
    case = make_case(room / "data" / SOUND[0])
    plain = commands.run(room / "data", room / "out").expect(0, sound=sound)
    case.put(case.packed(channel) + BOMB, channel)
    bomb = commands.run(room / "data", room / "out of bomb").expect(4, sound=sound)
    assert bomb.codes() == {SOUND[0]: "TOO_LARGE"}
    assert bomb.peak - plain.peak < 100


def test_too_little_memory_for_any_case_fails_all(commands, room):
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


def dying_thread(module: str, function: str, case: str) -> str:
    """Python code after which a function ends its thread for one case; case: where its first argument is."""
    return f"""
import segcube.inference.folder.{module} as module
original = module.{function}
def dies(argument, *others):
    if argument{case}.name == {SOUND[1]!r}:
        raise SystemExit('the thread dies')
    return original(argument, *others)
module.{function} = dies
"""


@pytest.mark.parametrize(
    ("module", "function", "case"),
    [("prefetch", "inputs_digest", ""), ("writing", "write_label_map", ".case")],
)
def test_a_dead_thread_fails_only_its_case(commands, data, sound, room, module, function, case):
    before = dying_thread(module, function, case)
    ended = commands.run(data, room / "out", before=before).expect(3, sound=sound)
    assert ended.codes() == {SOUND[1]: "INTERNAL"}


def test_an_unforeseen_error_is_one_line(commands, data, room):
    before = (
        "import segcube.inference.folder.run as run\n"
        "def fails(*a):\n  raise KeyError('surprise')\nrun.select = fails"
    )
    ended = commands.run(data, room / "out", before=before).expect(1, sound={})
    assert "KeyError: 'surprise'" in ended.stderr
