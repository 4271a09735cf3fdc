"""The list of names that a checkpoint may hold, and what of ours stands for each. Nothing else is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from segcube.importers.checkpoint import arrays, tensors
from segcube.importers.checkpoint.bounds import expect_plain_keys
from segcube.importers.checkpoint.inert import Named, RefusedPickle, StandIn, short_repr

PATHS = {
    "PosixPath": PurePosixPath,
    "PurePosixPath": PurePosixPath,
    "WindowsPath": PureWindowsPath,
    "PureWindowsPath": PureWindowsPath,
}

LONGEST_PATH = 4096
LONGEST_NAME = 200
"""Letters of a refused name that an error quotes."""

INERT_CLASSES: dict[str, tuple[str, ...]] = {
    "argparse": ("Namespace",),
    "types": ("SimpleNamespace",),
    "typing": ("Any",),
    "datetime": ("datetime", "date", "timedelta"),
    "omegaconf.dictconfig": ("DictConfig",),
    "omegaconf.listconfig": ("ListConfig",),
    "omegaconf.base": ("ContainerMetadata", "Metadata", "SCMode"),
    "omegaconf.nodes": (
        *("AnyNode", "StringNode", "IntegerNode", "FloatNode", "BooleanNode", "BytesNode", "PathNode"),
        *("EnumNode", "InterpolationResultNode"),
    ),
    "pytorch_lightning.utilities.parsing": ("AttributeDict",),
    "lightning.pytorch.utilities.parsing": ("AttributeDict",),
    "lightning.fabric.utilities.data": ("AttributeDict",),
    "lightning_fabric.utilities.data": ("AttributeDict",),
    "lightning_utilities.core.enums": ("StrEnum",),
    "pytorch_lightning.utilities.enums": ("GradClipAlgorithmType", "LightningEnum", "PrecisionType"),
    "pytorch_lightning.callbacks.model_checkpoint": ("ModelCheckpoint",),
    "pytorch_lightning.callbacks.early_stopping": ("EarlyStopping",),
    "lightning.pytorch.callbacks.model_checkpoint": ("ModelCheckpoint",),
    "lightning.pytorch.callbacks.early_stopping": ("EarlyStopping",),
    "monai.utils.enums": ("MetaKeys", "SpaceKeys", "TraceKeys"),
    "mbas.tasks.predict": ("Parameters1Stage", "Parameters2Stage"),
    "__main__": ("Parameters1Stage", "Parameters2Stage"),
    "torch.optim.lr_scheduler": (
        *("CosineAnnealingLR", "ExponentialLR", "LambdaLR", "OneCycleLR", "PolynomialLR"),
        *("ReduceLROnPlateau", "StepLR"),
    ),
    "torch.serialization": ("_get_layout",),
    "torch": ("strided",),
}
"""Classes that become stand-ins; nobody's code for them is ever imported."""

LEAVES: dict[str, tuple[str, ...]] = {
    "numpy": (
        *("float16", "float32", "float64", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64", "bool_"),
    )
}
"""Names that settings hold as they are."""


def _containers() -> dict[str, Callable[..., object]]:
    return {
        "collections.OrderedDict": _gathering(dict),
        "collections.Counter": _gathering(dict),
        "collections.defaultdict": _default_dict,
        "collections.deque": _gathering(list),
        "builtins.set": _gathering(set),
        "builtins.frozenset": _gathering(frozenset),
        "builtins.list": _gathering(list),
        "builtins.dict": _gathering(dict),
        "builtins.complex": _complex,
        "builtins.bytes": _no_bytes,
        "builtins.bytearray": _bytearray,
        "builtins.object": StandIn("object"),
        "_codecs.encode": _encode,
        "copyreg._reconstructor": _reconstructor,
    }


def _numpy() -> dict[str, Callable[..., object]]:
    found: dict[str, Callable[..., object]] = {"numpy.dtype": arrays.make_dtype}
    for core in ("numpy.core", "numpy._core"):
        found[f"{core}.multiarray._reconstruct"] = arrays.reconstruct
        found[f"{core}.multiarray.scalar"] = arrays.make_scalar
        found[f"{core}.numeric._frombuffer"] = arrays.from_buffer
    return found


def _torch() -> dict[str, Callable[..., object]]:
    return {
        "torch._utils._rebuild_tensor": tensors.rebuild,
        "torch._utils._rebuild_tensor_v2": tensors.rebuild,
        "torch._utils._rebuild_tensor_v3": tensors.rebuild_of_type,
        "torch._utils._rebuild_parameter": tensors.as_is,
        "torch._utils._rebuild_parameter_with_state": tensors.as_is,
        "torch.Size": _gathering(tuple),
        "torch.device": StandIn("torch.device"),
        "torch.torch_version.TorchVersion": _text,
    }


def _gathering(kind: Callable[..., object]) -> Callable[..., object]:
    """A container of what lies in memory already: a lazy one could ask for any amount."""

    def gather(parts: object = (), *unused: object) -> object:
        del unused
        if not isinstance(parts, list | tuple | set | frozenset | dict):
            raise RefusedPickle(f"a container made of a {type(parts).__name__}")
        if kind is dict and not isinstance(parts, dict):
            expect_plain_keys(_first_of(part) for part in parts)
        elif kind in (set, frozenset):
            expect_plain_keys(parts)
        return kind(parts)

    return gather


def _first_of(pair: object) -> object:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise RefusedPickle(f"a dict made of a {type(pair).__name__}")
    return pair[0]


def _path_of(kind: type[PurePath]) -> Callable[..., PurePath]:
    def make(*parts: object) -> PurePath:
        if not all(isinstance(part, str) for part in parts) or sum(map(len, map(str, parts))) > LONGEST_PATH:
            raise RefusedPickle(f"a path of more than {LONGEST_PATH} letters, or of no text")
        return kind(*map(str, parts))

    return make


def _default_dict(factory: object = None, entries: object = ()) -> object:
    del factory
    return _gathering(dict)(entries)


def _text(text: object) -> str:
    if not isinstance(text, str):
        raise RefusedPickle(f"text made of a {type(text).__name__}")
    return text


def _complex(real: object, imaginary: object = 0.0) -> complex:
    if not isinstance(real, float) or not isinstance(imaginary, float):
        raise RefusedPickle("a complex number of what are no floats")
    return complex(real, imaginary)


def _no_bytes() -> bytes:
    return b""


def _bytearray(data: object = b"", encoding: object = "latin-1") -> bytearray:
    return bytearray(data if isinstance(data, bytes) else _encode(data, encoding))


def _encode(text: object, encoding: object = "utf-8") -> bytes:
    """How old protocols hold bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise RefusedPickle(f"text in the encoding {short_repr(encoding)}")
    return text.encode(str(encoding))


def _reconstructor(kind: object, base: object, state: Any) -> object:
    """How old protocols make an object of a class."""
    del base
    if not isinstance(kind, Named) or not isinstance(kind.make, StandIn):
        raise RefusedPickle(f"a pickle that makes a {short_repr(kind)}")
    made = kind.make()
    if isinstance(state, dict):
        made.entries.update(state)
    return made


def _spelled(names: Iterable[str]) -> dict[str, str]:
    """Python 2 had other names for two modules."""
    old = {"builtins": "__builtin__", "copyreg": "copy_reg"}
    return {
        f"{old[module]}.{name}": f"{module}.{name}"
        for module, _, name in (text.partition(".") for text in names)
        if module in old
    }


def _listed() -> dict[str, object]:
    calls = {**_containers(), **_numpy(), **_torch()}
    for module, names in INERT_CLASSES.items():
        calls |= {f"{module}.{name}": StandIn(f"{module}.{name}") for name in names}
    for module in ("pathlib", "pathlib._local"):
        calls |= {f"{module}.{name}": _path_of(kind) for name, kind in PATHS.items()}
    listed: dict[str, object] = {name: Named(name, make) for name, make in calls.items()}
    listed |= {old: listed[name] for old, name in _spelled(calls).items()}
    for module, names in LEAVES.items():
        listed |= {f"{module}.{name}": Named(f"{module}.{name}") for name in names}
    for name in ("str", "int", "float", "bool", "tuple"):
        listed |= {f"{module}.{name}": Named(f"builtins.{name}") for module in ("builtins", "__builtin__")}
    listed |= {"__builtin__.long": Named("builtins.int"), "__builtin__.unicode": Named("builtins.str")}
    listed["numpy.ndarray"] = Named("numpy.ndarray")
    listed |= {f"torch.{dtype}".replace("torch.torch.", "torch."): dtype for dtype in tensors.DTYPES.values()}
    for name, dtype in tensors.DTYPES.items():
        listed |= {f"{module}.{name}": dtype for module in ("torch", "torch.cuda", "torch.storage")}
    return listed


LISTED = _listed()


def stands_for(module: str, name: str) -> object:
    """What stands for a name of a pickle: something to call, or a value.

    Raises RefusedPickle for a name that is not on the list.
    """
    # A dotted name would reach through the attributes of a listed module
    found = None if "." in name else LISTED.get(f"{module}.{name}")
    if found is None:
        raise RefusedPickle(f"the name {f'{module}.{name}'[:LONGEST_NAME]}")
    return found
