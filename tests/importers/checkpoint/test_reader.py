"""Files of every layout, made by torch and pickle themselves, come back as they were."""

import argparse
import io
import pickle
import struct
import zipfile
from argparse import Namespace
from collections import OrderedDict, defaultdict
from pathlib import PosixPath

import numpy as np
import pytest
import torch

from segcube.core import EnvironmentFault
from segcube.importers.checkpoint.objects import StoredObject, plain
from segcube.importers.checkpoint.reader import open_checkpoint

LAYOUTS = [{}, {"_use_new_zipfile_serialization": False}]
BARE_PROTOCOLS = (0, 2, 3, 5)
"""Those that brought opcodes which these values use."""


@pytest.fixture(params=LAYOUTS, ids=["zip", "legacy"])
def save(request, tmp_path):
    def write(tree, **options):
        file = tmp_path / "weights.pth"
        torch.save(tree, file, **request.param, **options)
        return file

    return write


@pytest.fixture
def reopen(tmp_path):
    """Pickle a value in each of the protocols, and open what was written."""

    def opened(value):
        for protocol in BARE_PROTOCOLS:
            file = tmp_path / f"{protocol}.pkl"
            file.write_bytes(pickle.dumps(value, protocol))
            yield open_checkpoint(file)

    return opened


def same(found, wanted):
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            same(found[key], wanted[key])
    elif isinstance(wanted, list | tuple):
        assert type(found) is type(wanted)
        for one, other in zip(found, wanted, strict=True):
            same(one, other)
    elif isinstance(wanted, torch.Tensor):
        assert found.dtype == wanted.dtype
        assert torch.equal(found, wanted)
    elif isinstance(wanted, np.ndarray):
        assert found.dtype.newbyteorder("=") == wanted.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, wanted)
    else:
        assert type(found) is type(wanted)
        assert found == wanted


DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
]


def test_tensors_of_every_type_come_back(save):
    tree = {str(dtype): torch.arange(5).to(dtype) for dtype in DTYPES}
    for protocol in (2, 5):
        same(open_checkpoint(save(tree, pickle_protocol=protocol)), tree)


def test_views_share_their_storage_with_offsets_and_strides(save):
    base = torch.arange(24.0).reshape(4, 6)
    found = open_checkpoint(save({"base": base, "part": base[1:3, ::2], "turned": base.t()}))
    same(found, {"base": base, "part": base[1:3, ::2], "turned": base.t()})
    found["base"].zero_()
    assert not found["part"].any()


def test_what_is_written_to_a_tensor_does_not_reach_the_file(save):
    file = save({"a": torch.ones(3)})
    before = file.read_bytes()
    open_checkpoint(file)["a"].zero_()
    assert file.read_bytes() == before


def test_parameters_scalars_and_empty_tensors_come_back(save):
    tree = {"p": torch.nn.Parameter(torch.ones(2)), "s": torch.tensor(3), "e": torch.empty(0, 4)}
    found = open_checkpoint(save(tree))
    same(found, {"p": torch.ones(2), "s": torch.tensor(3), "e": torch.empty(0, 4)})
    assert not found["p"].requires_grad


def test_a_state_dict_and_an_optimizer_come_back(save):
    layer = torch.nn.BatchNorm1d(3)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    found = open_checkpoint(save({"state_dict": layer.state_dict(), "optimizer": optimizer.state_dict()}))
    same(found["state_dict"], dict(layer.state_dict()))
    same(found["optimizer"], optimizer.state_dict())


def test_types_sizes_and_devices_come_back(reopen):
    for found in reopen([torch.float32, torch.Size([2, 3]), torch.device("cuda:1")]):
        assert found[:2] == [torch.float32, (2, 3)]
        assert found[2].arguments == ("cuda", 1)


def test_numpy_and_containers_come_back_from_a_bare_pickle(reopen):
    tree = {
        "arrays": [np.arange(6, dtype=">i4").reshape(2, 3), np.asfortranarray(np.eye(2)), np.zeros((0, 3))],
        "objects": np.array(["a", None, 3], dtype=object),
        "scalars": [np.float32(1.5), np.int64(-2), np.bool_(True), np.str_("text")],
        "sets": [{1, 2}, frozenset({3})],
        "bytes": [b"", b"\x00\xff", bytearray(b"ab")],
        "numbers": [1, -(2**70), 1.5, True, None, 2 + 1j],
        (1, "key"): OrderedDict([("b", 1), ("a", 2)]),
        "default": defaultdict(list, {"x": [1]}),
    }
    for found in reopen(tree):
        assert type(found["default"]) is dict
        same(found, tree | {(1, "key"): {"b": 1, "a": 2}, "default": {"x": [1]}})


@pytest.mark.parametrize("protocol", [2, 5])
def test_names_of_numpy_1_are_known(tmp_path, protocol):
    data = pickle.dumps([np.arange(3), np.float64(2)], protocol)
    if protocol < 4:
        data = data.replace(b"numpy._core", b"numpy.core")
    else:
        data = data.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
        data = data.replace(b"\x8c\x13numpy._core.numeric", b"\x8c\x12numpy.core.numeric")
        data = b"".join((data[:2], b"", data[11:])) if data[2:3] == b"\x95" else data
    assert b"numpy._core" not in data
    file = tmp_path / "plans.pkl"
    file.write_bytes(data)
    same(open_checkpoint(file), [np.arange(3), np.float64(2)])


def test_a_namespace_becomes_a_stored_object(reopen):
    for found in reopen(argparse.Namespace(size="M", root=PosixPath("/data/x"))):
        assert type(found) is StoredObject
        assert found.name == "argparse.Namespace"
        assert plain(found) == {"size": "M", "root": "/data/x"}


def test_types_in_settings_stay_names(reopen):
    names = ["builtins.int", "builtins.str", "builtins.float", "builtins.bool", "builtins.dict"]
    for types in reopen([int, str, float, bool, dict, np.float32]):
        assert [found.name for found in types] == [*names, "numpy.float32"]


def test_an_omegaconf_tree_becomes_plain(reopen, foreign_class):
    container = foreign_class("omegaconf.dictconfig", "DictConfig")
    sequence = foreign_class("omegaconf.listconfig", "ListConfig")
    node = foreign_class("omegaconf.nodes", "AnyNode")
    metadata = foreign_class("omegaconf.base", "ContainerMetadata")
    root, levels, value = container(), sequence(), node()
    value.__dict__ = {"_val": 3, "_parent": levels, "_metadata": metadata()}
    levels.__dict__ = {"_content": [value], "_parent": root}
    root.__dict__ = {"_content": {"levels": levels}, "_parent": None, "_metadata": metadata()}
    assert all(plain(found) == {"levels": [3]} for found in reopen(root))


def test_an_attribute_dict_becomes_plain(reopen, foreign_class):
    kind = foreign_class("pytorch_lightning.utilities.parsing", "AttributeDict", dict)
    settings = {"size": "B", "levels": [1, 2]}
    assert all(plain(found) == settings for found in reopen(kind(settings)))


@pytest.mark.parametrize(("module", "bare"), [("__main__", False), ("mbas.tasks.predict", True)])
def test_a_dataclass_of_two_stages_keeps_its_fields(tmp_path, foreign_class, module, bare):
    parameters = foreign_class(module, "Parameters2Stage")()
    weights = torch.arange(6.0).reshape(2, 3)
    parameters.__dict__ = {"stage1_checkpoint": {"w": weights, "half": weights[1]}, "stage1_plans": {}}
    file = tmp_path / "test.pth"
    file.write_bytes(pickle.dumps(parameters)) if bare else torch.save(parameters, file)
    found = open_checkpoint(file)
    assert found.name == f"{module}.Parameters2Stage"
    same(found.fields["stage1_checkpoint"], {"w": weights, "half": weights[1]})


def test_a_big_endian_zip_is_swapped(tmp_path):
    tree = {
        "f": torch.tensor([1.5, -2.0]),
        "h": torch.tensor([3], dtype=torch.int16),
        "b": torch.ones(2, dtype=torch.bool),
    }
    tree["c"] = torch.tensor([1 + 2j])
    torch.save(tree, tmp_path / "little.pth")
    with (
        zipfile.ZipFile(tmp_path / "little.pth") as little,
        zipfile.ZipFile(tmp_path / "big.pth", "w") as big,
    ):
        for info in little.infolist():
            data = little.read(info)
            if "/data/" in info.filename:
                key = list(tree)[int(info.filename.rpartition("/")[2])]
                width = {"f": 4, "h": 2, "b": 1, "c": 4}[key]
                data = np.frombuffer(data, f"u{width}").byteswap().tobytes()
            big.writestr(info.filename, b"big" if info.filename.endswith("byteorder") else data)
    same(open_checkpoint(tmp_path / "big.pth"), tree)


def test_a_missing_and_an_empty_file_are_refused(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"none.pth: cannot be read: No such file"):
        open_checkpoint(tmp_path / "none.pth")
    (tmp_path / "empty.pth").touch()
    with pytest.raises(EnvironmentFault, match="it is empty"):
        open_checkpoint(tmp_path / "empty.pth")


def test_a_file_that_is_cut_off_is_refused(save):
    file = save({"a": torch.randn(100), "b": torch.randn(50)})
    data = file.read_bytes()
    for share in (0.5, 0.99):
        file.write_bytes(data[: int(share * len(data))])
        with pytest.raises(EnvironmentFault, match="damaged"):
            open_checkpoint(file)


def test_a_zip_without_entries_is_refused(tmp_path):
    for content in (b"PK", b"PK\5\6", b"PK\5\6" + b"\0" * 18, b"PK\3\4" + b"\0" * 60):
        (tmp_path / "a.pth").write_bytes(content)
        with pytest.raises(EnvironmentFault, match="zip"):
            open_checkpoint(tmp_path / "a.pth")


def test_a_plain_text_is_refused(tmp_path):
    file = tmp_path / "notes.ckpt"
    file.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(EnvironmentFault, match="damaged pickle"):
        open_checkpoint(file)


def test_a_whole_network_is_refused_by_its_class(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "a.pth")
    with pytest.raises(
        EnvironmentFault, match=r"the name torch.nn.modules.linear.Linear; expected .*; save the state_dict"
    ):
        open_checkpoint(tmp_path / "a.pth")


def test_a_script_archive_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({}))
        archive.writestr("net/code/__torch__.py", "")
    (tmp_path / "net.pt").write_bytes(buffer.getvalue())
    with pytest.raises(EnvironmentFault, match="TorchScript"):
        open_checkpoint(tmp_path / "net.pt")


def zip_of(file, entries, **options):
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def pickle_of_a_tensor(tmp_path):
    torch.save(torch.arange(4.0), tmp_path / "sound.pth")
    with zipfile.ZipFile(tmp_path / "sound.pth") as sound:
        return sound.read("sound/data.pkl")


def test_compressed_entries_are_refused(tmp_path):
    zip_of(tmp_path / "a.pth", [("a/data.pkl", pickle.dumps({}))], compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(EnvironmentFault, match=r"entry a/data.pkl is repeated, compressed"):
        open_checkpoint(tmp_path / "a.pth")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_repeated_and_outer_entries_are_refused(tmp_path):
    for second in ("a/data.pkl", "b/data.pkl", "../x", "/x"):
        zip_of(tmp_path / "a.pth", [("a/data.pkl", pickle.dumps({})), (second, pickle.dumps({}))])
        with pytest.raises(EnvironmentFault, match="is repeated, compressed"):
            open_checkpoint(tmp_path / "a.pth")


def test_a_storage_of_another_length_than_declared_is_refused(tmp_path):
    data = pickle_of_a_tensor(tmp_path)
    for length in (0, 15, 17):
        zip_of(tmp_path / "a.pth", [("a/data.pkl", data), ("a/data/0", b"\0" * length)])
        with pytest.raises(EnvironmentFault, match=f"storage of {length} bytes, not 4"):
            open_checkpoint(tmp_path / "a.pth")


def test_a_missing_storage_is_refused(tmp_path):
    zip_of(tmp_path / "a.pth", [("a/data.pkl", pickle_of_a_tensor(tmp_path))])
    with pytest.raises(EnvironmentFault, match="it has no storage 0"):
        open_checkpoint(tmp_path / "a.pth")


def test_overlapping_entries_are_refused(tmp_path):
    file = tmp_path / "a.pth"
    zip_of(file, [("a/data.pkl", pickle.dumps({})), ("a/data/0", b"1234")])
    data = bytearray(file.read_bytes())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    file.write_bytes(data)
    with pytest.raises(EnvironmentFault, match="repeated, compressed"):
        open_checkpoint(file)


def test_shared_settings_stay_shared(tmp_path):
    tree = []
    for _ in range(12):
        tree = [tree, tree, tree]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(tree))
    found = plain(open_checkpoint(tmp_path / "a.pkl"))
    assert found[0] is found[1] is found[2]


def test_cyclic_settings_are_refused(tmp_path):
    tree = Namespace()
    tree.parent = tree
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(tree))
    with pytest.raises(EnvironmentFault, match="levels"):
        plain(open_checkpoint(tmp_path / "a.pkl"))
