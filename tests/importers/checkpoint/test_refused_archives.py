"""Archives and settings that are not what torch.save writes: refused."""

import pickle
import struct
import zipfile
from argparse import Namespace

import pytest
import torch

from segcube.core import EnvironmentFault
from segcube.importers.checkpoint.inert import plain
from segcube.importers.checkpoint.layouts import open_checkpoint


def zip_of(file, entries, **options):
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def pickle_of_a_tensor(tmp_path):
    torch.save(torch.arange(4.0), tmp_path / "sound.pth")
    with zipfile.ZipFile(tmp_path / "sound.pth") as sound:
        return sound.read("sound/data.pkl")


def test_packed_entries_are_refused(tmp_path):
    zip_of(tmp_path / "a.pth", [("a/data.pkl", pickle.dumps({}))], compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(EnvironmentFault, match=r"entry a/data.pkl is repeated, packed"):
        open_checkpoint(tmp_path / "a.pth")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a/data.pkl", "b/data.pkl", "../x", "/x"])
def test_repeated_and_outer_entries_are_refused(tmp_path, second):
    zip_of(tmp_path / "a.pth", [("a/data.pkl", pickle.dumps({})), (second, pickle.dumps({}))])
    with pytest.raises(EnvironmentFault, match="is repeated, packed, locked or outside"):
        open_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("length", [0, 15, 17])
def test_storages_have_the_length_that_their_tensors_say(tmp_path, length):
    entries = [("a/data.pkl", pickle_of_a_tensor(tmp_path)), ("a/data/0", b"\0" * length)]
    zip_of(tmp_path / "a.pth", entries)
    with pytest.raises(EnvironmentFault, match=f"storage of {length} bytes, not 4"):
        open_checkpoint(tmp_path / "a.pth")


def test_a_missing_storage_is_told(tmp_path):
    zip_of(tmp_path / "a.pth", [("a/data.pkl", pickle_of_a_tensor(tmp_path))])
    with pytest.raises(EnvironmentFault, match="it has no storage 0"):
        open_checkpoint(tmp_path / "a.pth")


def test_entries_over_one_another_are_refused(tmp_path):
    file = tmp_path / "a.pth"
    zip_of(file, [("a/data.pkl", pickle.dumps({})), ("a/data/0", b"1234")])
    data = bytearray(file.read_bytes())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    file.write_bytes(data)
    with pytest.raises(EnvironmentFault, match="repeated, packed"):
        open_checkpoint(file)


def test_settings_that_hold_themselves_many_times_stay_small(tmp_path):
    tree = []
    for _ in range(12):
        tree = [tree, tree, tree]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(tree))
    found = plain(open_checkpoint(tmp_path / "a.pkl"))
    assert found[0] is found[1] is found[2]


def test_settings_without_an_end_are_refused(tmp_path):
    tree = Namespace()
    tree.parent = tree
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(tree))
    with pytest.raises(EnvironmentFault, match="levels"):
        plain(open_checkpoint(tmp_path / "a.pkl"))
