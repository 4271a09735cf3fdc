"""The package executes no code of its inputs, and reads YAML and JSON with limits."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import segcube
from segcube.core import UsageError
from segcube.spec.challenges import challenge_keys, load_challenge

PACKAGE = Path(segcube.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle", "socketserver", "urllib"}
FORBIDDEN_ATTRIBUTES = {
    "torch.load",
    "torch.hub",
    "yaml.unsafe_load",
    "yaml.full_load",
    "yaml.load_all",
    "os.system",
    "os.popen",
    "np.loads",
    "tarfile.extractall",
}


def found_in(file: Path) -> list[str]:
    """Each forbidden call, import or argument of a file, with its line."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        name = ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id if node.func.id in FORBIDDEN_CALLS else ""
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node) if ast.unparse(node) in FORBIDDEN_ATTRIBUTES else ""
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            name = next((m for m in modules if m.split(".")[0] in FORBIDDEN_MODULES), "")
        elif isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            name = (
                node.arg if not (isinstance(node.value, ast.Constant) and node.value.value is False) else ""
            )
        if name:
            found.append(f"{file.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)} {name}")
    return found


def test_no_code_in_an_input_is_executed():
    assert len(FILES) > 50
    assert [line for file in FILES for line in found_in(file)] == []


def test_the_search_finds_a_forbidden_call(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    file = tmp_path / "a.py"
    file.write_text("import pickle\neval('1')\ntorch.load(f)\nnp.load(f, allow_pickle=True)\n")
    assert len(found_in(file)) == 4


READERS = re.compile(r"yaml\.\w*load\w*|yaml\.(parse|scan|compose)\w*|json\.loads?|\w+\.model_validate_json")
ALLOWED = {
    # These read what the same process wrote, or check its sha256 before
    "backends/openvino/mapped.py": ["json.loads"],
    "tools/soup/journal.py": ["json.loads"],
    # Lines of a training's own log, hundreds of thousands of them
    "training/log.py": ["json.loads"],
}


def test_one_reader_bounds_all_yaml_and_json():
    found: dict[str, list[str]] = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and READERS.fullmatch(ast.unparse(node.func)):
                place = file.relative_to(PACKAGE).as_posix()
                found.setdefault(place, []).append(ast.unparse(node.func))
    assert sorted(found.pop("core/documents.py")) == ["json.loads", "yaml.load", "yaml.parse"]
    assert found == ALLOWED


NAMES = ("..", "../a", "-rf", "a/b", "..%2fa", "", "a\n", "a\0b", "~", "$HOME")


def test_no_name_of_a_case_leaves_the_output_folder():
    for key in challenge_keys():
        challenge = load_challenge(key)
        name = challenge.made_case.format(number=1)
        assert challenge.is_case(name)
        hostile = (*NAMES, f"{name}\n", f"../{name}", f"{name}/a")
        assert [other for other in hostile if challenge.is_case(other)] == [], key
        assert Path(challenge.output_name(name)).name == challenge.output_name(name)


def test_a_challenge_of_ones_own_cannot_write_elsewhere(tmp_path):
    shipped = PACKAGE / "spec" / "challenges" / "data" / "brats2023-gli.yaml"
    own = tmp_path / "own.yaml"
    for output in ("../{case}.nii.gz", "/tmp/{case}.nii.gz", "maps/{case}.nii.gz"):
        own.write_text(shipped.read_text() + f"\noutput: '{output}'\n")
        with pytest.raises(UsageError, match="output"):
            load_challenge(str(own))
