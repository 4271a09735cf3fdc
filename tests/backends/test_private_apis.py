from __future__ import annotations

import ast
from pathlib import Path

import segcube

SOURCES = Path(segcube.__file__).parent


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
    assert not {file: found for file in SOURCES.rglob("*.py") if (found := private_imports(file))}
