"""Files that would run code, fill the memory or reach outside themselves: refused, with nothing run."""

import os
import pickle
import struct

import pytest
import torch

from segcube.core import EnvironmentFault
from segcube.importers.checkpoint.reader import open_checkpoint


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "it ran"


@pytest.fixture
def refuse(tmp_path, marker):
    """Open bytes as a bare pickle and expect a refusal with `words` and nothing executed."""

    def check(data, words):
        file = tmp_path / "evil.pkl"
        file.write_bytes(data)
        with pytest.raises(EnvironmentFault, match=words):
            open_checkpoint(file)
        assert not marker.exists()

    return check


def short(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def test_commands_and_expressions_are_not_run(refuse, marker):
    expression = f"open({str(marker)!r}, 'w')"
    for protocol in (0, 2, 4):
        refuse(pickle.dumps(Calls(os.system, f"touch '{marker}'"), protocol), r"the name posix.system")
        refuse(pickle.dumps(Calls(eval, expression), protocol), r"the name (builtins|__builtin__).eval")


def test_pickle_itself_runs_the_command(marker):
    pickle.loads(pickle.dumps(Calls(os.system, f"touch '{marker}'")))
    assert marker.exists()


@pytest.mark.parametrize("layout", [True, False], ids=["zip", "legacy"])
def test_a_command_in_the_layouts_of_torch_is_not_run(tmp_path, marker, layout):
    file = tmp_path / "evil.pth"
    tree = {"state_dict": {"a": torch.ones(2), "b": Calls(os.system, f"touch '{marker}'")}}
    torch.save(tree, file, _use_new_zipfile_serialization=layout)
    with pytest.raises(EnvironmentFault, match=r"evil.pth: holds the name posix.system"):
        open_checkpoint(file)
    assert not marker.exists()


UNLISTED = (
    ("builtins", "getattr"),
    ("torch", "load"),
    ("numpy", "load"),
    ("functools", "partial"),
    ("operator", "attrgetter"),
)
DOTTED = (
    ("torch", "hub.os.system"),
    ("torch.hub", "os.system"),
    ("torch._utils", "_rebuild_tensor_v2.__globals__"),
    ("collections", "OrderedDict.__init__"),
    ("torch.storage", "_load_from_bytes.__globals__"),
)


@pytest.mark.parametrize("names", [UNLISTED, DOTTED], ids=["unlisted", "attributes of allowed names"])
def test_names_beyond_the_list_are_refused(refuse, marker, names):
    call = b"(" + short(f"touch '{marker}'") + b"tR."
    for module, name in names:
        words = rf"the name {module}.{name}"
        refuse(b"\x80\x04" + short(module) + short(name) + b"\x93" + call, words)
        refuse(f"c{module}\n{name}\n".encode() + call, words)
        refuse(b"(" + short(f"touch '{marker}'") + f"i{module}\n{name}\n.".encode(), words)


def test_a_class_that_another_module_lists_is_refused(refuse):
    refuse(b"cevil\nNamespace\n)\x81.", "the name evil.Namespace")


def test_only_stored_objects_take_a_state(refuse):
    targets = {
        "collections.OrderedDict": b"ccollections\nOrderedDict\n",
        "torch._utils._rebuild_tensor_v2": b"ctorch._utils\n_rebuild_tensor_v2\n",
        "list": b"]",
        "int": b"K\x01",
        "numpy.ndarray": b"cnumpy\nndarray\n",
    }
    for name, target in targets.items():
        refuse(target + b"}" + short("__code__") + b"K\x01sb.", f"sets the state of a {name}")


def test_a_stored_object_keeps_special_names_as_fields(tmp_path):
    state = {"__class__": 1, "__setstate__": 2, "__dict__": 3, "__reduce__": 4, "name": "no"}
    file = tmp_path / "hparams.pkl"
    data = pickle.dumps(state, 2)[2:-1]
    file.write_bytes(b"\x80\x02cargparse\nNamespace\n)\x81" + data + b"b" + data + b"b.")
    found = open_checkpoint(file)
    assert found.name == "argparse.Namespace"
    assert found.fields == state
    assert type(found).__name__ == "StoredObject"


def test_calls_of_values_and_stored_objects_are_refused(refuse):
    refuse(b"cargparse\nNamespace\n)R)R.", "calls StoredObject")
    refuse(b"cnumpy\nndarray\n)R.", "calls numpy.ndarray")
    refuse(b"ctorch\nfloat32\n)R.", "calls dtype")


def test_copyreg_makes_only_stored_objects(refuse):
    refuse(b"ccopyreg\n_reconstructor\n(ccollections\nOrderedDict\ncbuiltins\nobject\nNtR.", "makes a ")
    refuse(b"ccopyreg\n__newobj__\n(cargparse\nNamespace\ntR.", "the name copyreg.__newobj__")


def test_registered_extensions_and_outside_buffers_are_refused(refuse):
    for opcode in (b"\x82\x01", b"\x97", b"\x98"):
        refuse(b"\x80\x05" + opcode + b".", "damaged|the opcode")


def test_damaged_pickles_are_refused(refuse):
    for data in (
        b".",
        b"0.",
        b"(.",
        b"NN.",
        b"h\x05.",
        b"t.",
        b"]]a}s.",
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
        b"\x8b\xff\xff\xff\x7f.",
        b"(K\x01d.",
        b"}]K\x01s.",
        b"ccollections\nOrderedDict\n(K\x05tR.",
        b"Pid\n.",
        b"cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.",
        b"cnumpy\ndtype\n(X\x02\x00\x00\x00f4I01\n.",
        b"cnumpy\ndtype\n(X\x06\x00\x00\x00f4,f4,tR.",
    ):
        refuse(data, "holds ")


def tensor_of(offset, size, stride, count=4):
    """A legacy file by hand, with one tensor over four numbers."""

    class Storage:
        pass

    class Tensor:
        def __reduce__(self):
            return (torch._utils._rebuild_tensor_v2, (Storage(), offset, size, stride, False, {}))

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return (
                ("storage", torch.FloatStorage, "0", "cpu", count, None)
                if isinstance(value, Storage)
                else None
            )

    import io

    stream = io.BytesIO()
    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(part, stream, 2)
    Pickler(stream, 2).dump(Tensor())
    pickle.dump(["0"], stream, 2)
    return stream.getvalue() + struct.pack("<q4f", count, 0, 1, 2, 3)


def test_the_hand_made_file_is_sound(tmp_path):
    file = tmp_path / "tensor.pth"
    file.write_bytes(tensor_of(1, (3,), (1,)))
    assert open_checkpoint(file).tolist() == [1, 2, 3]


def test_tensors_keep_to_their_storage(refuse):
    for view in ((2, (3,), (1,)), (0, (2, 2), (3, 1)), (0, (1 << 40,), (0,))):
        refuse(tensor_of(*view), "beyond its storage")


def test_a_view_needs_whole_numbers_and_a_stride_for_each_axis(refuse):
    for view in ((-1, (2,), (1,)), (3, (3,), (-1,)), (0, (2, 2), (1,)), (0, (1.5,), (1,))):
        refuse(tensor_of(*view), "with strides")


def test_a_storage_longer_than_its_file_is_refused(refuse):
    refuse(tensor_of(0, (2,), (1,), count=1 << 40), "a damaged storage of 16 bytes, not")
