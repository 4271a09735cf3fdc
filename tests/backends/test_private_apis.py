from __future__ import annotations

import ast
from pathlib import Path

import segcube

SOURCES = Path(segcube.__file__).parent


ALLOWED = {
    # torch documents these for custom dispatch, and has no public name for them
    "training/plan/memory.py": {
        "torch.utils._python_dispatch.TorchDispatchMode",
        "torch.utils._pytree.tree_leaves",
    }
}


def private_imports(file: Path) -> set[str]:
    """Modules of torch and OpenVINO that a file imports and whose names begin with an underscore."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name for name in names if name.startswith(("torch", "openvino")) and "._" in name}
    return found


def test_no_private_api_of_torch_or_openvino_is_used():
    found = {file: names for file in SOURCES.rglob("*.py") if (names := private_imports(file))}
    assert {file.relative_to(SOURCES).as_posix(): names for file, names in found.items()} == ALLOWED
