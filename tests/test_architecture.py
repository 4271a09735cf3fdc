"""The rules of the layout: what a package imports of another, and how large a folder grows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "project" / "segcube"
MOST_MODULES = 14
MODULES = sorted(file for file in PACKAGE.rglob("*.py") if "checkout" not in file.parts)
FOLDERS = sorted({file.parent for file in MODULES})


def dotted(path: Path) -> str:
    parts = ("segcube", *(path.relative_to(PACKAGE).parent / path.stem).parts)
    return ".".join(part for part in parts if part != "__init__")


def imports(file: Path) -> Iterator[ast.ImportFrom]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("segcube."):
            yield node


@cache
def listed(package: Path) -> set[str]:
    """The public names of a package."""
    stub = package / "__init__.pyi"
    tree = ast.parse(stub.read_text() if stub.is_file() else (package / "__init__.py").read_text())
    nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in nodes for alias in node.names}


def deep_imports(file: Path) -> Iterator[str]:
    """What a module imports of another package beyond its public names."""
    own = dotted(file).split(".")[1:2]
    for node in imports(file):
        parts = (node.module or "").split(".")[1:]
        if parts[:1] == own:
            continue
        folder = PACKAGE.joinpath(*parts)
        names = {alias.name for alias in node.names}
        for name in sorted(names - listed(folder) if folder.is_dir() else names):
            yield f"{dotted(file)}:{node.lineno}: {name} is no public name of {node.module}"


def test_other_packages_are_imported_by_their_public_names():
    assert len(MODULES) > 150
    assert [found for file in MODULES for found in deep_imports(file)] == []


def test_a_deep_import_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.pyi").write_text("from .boxes import Box as Box\n")
    file = tmp_path / "api.py"
    file.write_text("from segcube.core import Box, crop\nfrom segcube.core.boxes import Box\n")
    assert [found.split(": ")[0] for found in deep_imports(file)] == ["segcube.api:1", "segcube.api:2"]


def test_folders_are_small():
    modules = {folder: [file for file in folder.glob("*.py") if file.stem[:2] != "__"] for folder in FOLDERS}
    assert {folder.name: len(files) for folder, files in modules.items() if len(files) > MOST_MODULES} == {}


def test_no_public_name_hides_a_module():
    """`from package import name` would give the module wherever that is loaded already."""
    for folder in FOLDERS:
        names = {file.stem for file in folder.iterdir() if file.suffix == ".py" or file.is_dir()}
        assert not listed(folder) & names, folder
