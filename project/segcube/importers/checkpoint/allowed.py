"""The names that a pickle may use, and the package's own replacement of each. All others are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from segcube.core import EnvironmentFault, Names, StrictModel, read_model
from segcube.importers.checkpoint import arrays
from segcube.importers.checkpoint.limits import expect_plain_keys
from segcube.importers.checkpoint.objects import Global, RefusedPickle, short_repr, stored_class

MAX_PATH = 4096
MAX_NAME = 200
"""Letters of a refused name that an error quotes."""


class _Classes(StrictModel):
    classes: Mapping[str, Names]
    """By module."""


_STORED_CLASSES = Path(__file__).parent / "data" / "stored_classes.yaml"
NUMPY_TYPES = (
    *("float16", "float32", "float64", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "bool_"),
)
"""Names that settings hold as they are."""
PYTHON_2 = {"builtins": "__builtin__", "copyreg": "copy_reg"}


def find_global(module: str, name: str) -> object:
    """Look up a name of a pickle: a `Global` or a value. Raises RefusedPickle for a name not allowed."""
    # A dotted name would reach the attributes of an allowed module
    found = None if "." in name else ALLOWED.get(f"{module}.{name}")
    if found is None:
        raise RefusedPickle(f"the name {f'{module}.{name}'[:MAX_NAME]}")
    return found


def _container(kind: Callable[..., object]) -> Callable[..., object]:
    """Make a container from one in memory: an iterator could give any number of items."""

    def make(parts: object = (), *_unused: object) -> object:
        if not isinstance(parts, list | tuple | set | frozenset | dict):
            raise RefusedPickle(f"a container made of a {type(parts).__name__}")
        if kind is dict and not isinstance(parts, dict):
            if not all(isinstance(part, list | tuple) and len(part) == 2 for part in parts):
                raise RefusedPickle("a dict made of other parts than pairs")
            expect_plain_keys(part[0] for part in parts)
        elif kind in (set, frozenset):
            expect_plain_keys(parts)
        return kind(parts)

    return make


def _path(kind: type[PurePath]) -> Callable[..., PurePath]:
    def make(*parts: object) -> PurePath:
        if not all(isinstance(part, str) for part in parts) or sum(map(len, map(str, parts))) > MAX_PATH:
            raise RefusedPickle(f"a path of more than {MAX_PATH} letters, or not of text")
        return kind(*map(str, parts))

    return make


def _text(text: object) -> str:
    if not isinstance(text, str):
        raise RefusedPickle(f"text made of a {type(text).__name__}")
    return text


def _complex(real: object, imaginary: object = 0.0) -> complex:
    if not isinstance(real, float) or not isinstance(imaginary, float):
        raise RefusedPickle("a complex number that is not made of floats")
    return complex(real, imaginary)


def _encode(text: object, encoding: object = "utf-8") -> bytes:
    """Make bytes as the protocols before 3 store them."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise RefusedPickle(f"text in the encoding {short_repr(encoding)}")
    return text.encode(str(encoding))


def _bytearray(data: object = b"", encoding: object = "latin-1") -> bytearray:
    return bytearray(data if isinstance(data, bytes) else _encode(data, encoding))


def _reconstruct(kind: object, _base: object, state: Any) -> object:
    """Make an object as the protocols before 2 store it."""
    if not isinstance(kind, Global) or not kind.is_stored_class or kind.call is None:
        raise RefusedPickle(f"a pickle that makes a {short_repr(kind)}")
    made: Any = kind.call()
    if isinstance(state, dict):
        made.entries.update(state)
    return made


CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _container(dict),
    "collections.Counter": _container(dict),
    "collections.defaultdict": lambda _factory=None, entries=(): _container(dict)(entries),
    "collections.deque": _container(list),
    "builtins.set": _container(set),
    "builtins.frozenset": _container(frozenset),
    "builtins.list": _container(list),
    "builtins.dict": _container(dict),
    "builtins.complex": _complex,
    "builtins.bytes": lambda: b"",
    "builtins.bytearray": _bytearray,
    "_codecs.encode": _encode,
    "copyreg._reconstructor": _reconstruct,
    "numpy.dtype": arrays.make_dtype,
    **{
        f"numpy.{core}.{name}": call
        for core in ("core", "_core")
        for name, call in (
            ("multiarray._reconstruct", arrays.make_empty),
            ("multiarray.scalar", arrays.make_scalar),
            ("numeric._frombuffer", arrays.from_buffer),
        )
    },
    "torch._utils._rebuild_tensor": arrays.make_tensor,
    "torch._utils._rebuild_tensor_v2": arrays.make_tensor,
    "torch._utils._rebuild_tensor_v3": arrays.make_typed_tensor,
    "torch._utils._rebuild_parameter": arrays.make_parameter,
    "torch._utils._rebuild_parameter_with_state": arrays.make_parameter,
    "torch.Size": _container(tuple),
    "torch.torch_version.TorchVersion": _text,
    **{
        f"{module}.{name}": _path(kind)
        for module in ("pathlib", "pathlib._local")
        for kind in (PurePosixPath, PureWindowsPath)
        for name in (kind.__name__, kind.__name__.removeprefix("Pure"))
    },
}


def _allowed() -> dict[str, object]:
    allowed: dict[str, object] = {name: Global(name, call) for name, call in CALLS.items()}
    for module, names in read_model(_STORED_CLASSES, _Classes, EnvironmentFault).classes.items():
        allowed |= {f"{module}.{name}": stored_class(f"{module}.{name}") for name in names}
    for name in ("str", "int", "float", "bool", "tuple"):
        allowed[f"builtins.{name}"] = Global(f"builtins.{name}")
    for name, found in list(allowed.items()):
        module, _, own = name.partition(".")
        if module in PYTHON_2:
            allowed[f"{PYTHON_2[module]}.{own}"] = found
    allowed |= {"__builtin__.long": Global("builtins.int"), "__builtin__.unicode": Global("builtins.str")}
    allowed |= {f"numpy.{name}": Global(f"numpy.{name}") for name in ("ndarray", *NUMPY_TYPES)}
    for name, dtype in arrays.STORAGE_DTYPES.items():
        allowed[str(dtype)] = dtype
        allowed |= {f"{module}.{name}": dtype for module in ("torch", "torch.cuda", "torch.storage")}
    return allowed


ALLOWED = _allowed()
