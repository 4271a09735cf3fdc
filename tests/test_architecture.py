"""The rules of the layout: what a package imports of another, and how large a folder grows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def listed(package: Path) -> set[str]:
    """The public names of a package."""
    stub = package / "__init__.pyi"
    tree = ast.parse(stub.read_text() if stub.is_file() else (package / "__init__.py").read_text())
    nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in nodes for alias in node.names}


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_other_packages_are_imported_by_their_public_names(file):
    own = dotted(file).split(".")[1:2]
    for node in imports(file):
        parts = (node.module or "").split(".")[1:]
        if parts[:1] == own:
            continue
        folder = PACKAGE.joinpath(*parts)
        assert folder.is_dir(), f"line {node.lineno}: {node.module} is a module of another package"
        unlisted = {alias.name for alias in node.names} - listed(folder)
        assert not unlisted, f"line {node.lineno}: {unlisted} are no public names of {node.module}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_is_small_and_no_public_name_hides_a_module(folder):
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__", "__main__"}
    folders = {other.name for other in folder.iterdir() if (other / "__init__.py").is_file()}
    assert len(modules) <= MOST_MODULES
    # `from package import name` would give the module wherever that is loaded already
    assert not listed(folder) & (modules | folders)
