from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from segcube.backends.openvino import INDEX, compile_if_possible, read_compiled
from segcube.backends.openvino.graphs import COMPILE_AGAIN, Graph, Index, write_graph, write_index
from segcube.core import EnvironmentFault
from segcube.spec.submission import load_for_challenge

GRAPH = Graph(b"<net/>", b"1234")


@pytest.fixture
def written(tmp_path, member):
    entry = write_graph(GRAPH, member, tmp_path)
    write_index(Index(openvino="1.2.3", graphs=(entry,)), tmp_path)
    return tmp_path


def test_a_graph_comes_back_as_it_was_written(written, member):
    compiled = read_compiled(written)
    assert member in compiled
    assert compiled.read(member) == GRAPH


def test_the_same_graph_gives_the_same_bytes(tmp_path, member):
    first = write_graph(GRAPH, member, tmp_path)
    assert write_graph(GRAPH, member, tmp_path / "again") == first


def test_a_folder_without_an_index_holds_none(tmp_path, member):
    assert member not in read_compiled(tmp_path)


def test_graphs_at_hand_outlive_their_folder(written, member):
    compiled = read_compiled(written).at_hand()
    (written / f"{member.file.stem}-16x16x32.openvino").unlink()
    assert compiled.read(member) == GRAPH


def test_a_graph_that_changed_is_refused(written, member):
    (written / f"{member.file.stem}-16x16x32.openvino").write_bytes(b"another")
    with pytest.raises(EnvironmentFault, match=rf"expected sha256 .*{COMPILE_AGAIN}"):
        read_compiled(written).read(member)


def test_a_missing_graph_is_refused(written, member):
    (written / f"{member.file.stem}-16x16x32.openvino").unlink()
    with pytest.raises(EnvironmentFault, match="No such file"):
        read_compiled(written).read(member)


def test_an_index_is_refused_by_its_key(written):
    content = yaml.safe_load((written / INDEX).read_text())
    (written / INDEX).write_text(yaml.safe_dump(content | {"version": 2}))
    with pytest.raises(EnvironmentFault, match="unknown key 'version'"):
        read_compiled(written)


def test_an_index_names_files_beside_it_alone(written):
    content = yaml.safe_load((written / INDEX).read_text())
    content["graphs"][0]["file"] = "../elsewhere.openvino"
    (written / INDEX).write_text(yaml.safe_dump(content))
    with pytest.raises(EnvironmentFault, match="outside the folder"):
        read_compiled(written)


LISTED = {"file": "a.openvino", "sha256": "0" * 64, "weights": "1" * 64, "window": [16, 16, 16]}


@pytest.mark.parametrize(
    ("graphs", "log"),
    [
        ([LISTED | {"sha256": "0"}], "sha256'.*pattern"),
        ([LISTED, LISTED | {"window": [8, 8, 8]}], "duplicate files: a.openvino"),
        ([LISTED, LISTED | {"file": "b.openvino"}], "duplicate weights and windows"),
    ],
)
def test_an_index_lists_each_graph_once_and_whole(tmp_path, graphs, log):
    (tmp_path / INDEX).write_text(yaml.safe_dump({"openvino": "1.2.3", "graphs": graphs}))
    with pytest.raises(EnvironmentFault, match=log):
        read_compiled(tmp_path)


def test_graphs_that_are_no_longer_listed_go(written):
    write_index(Index(openvino="1.2.3"), written)
    assert not list(written.glob("*.openvino"))


@pytest.fixture
def uncompiled(tumour_submission):
    for file in [*tumour_submission.glob("*.openvino"), tumour_submission / INDEX]:
        file.unlink()
    return load_for_challenge(tumour_submission)


def test_a_submission_is_compiled_beside_its_weights(uncompiled, log):
    compile_if_possible(uncompiled, log.append)
    assert (uncompiled.folder / INDEX).is_file()
    assert all(line.startswith("compiling ") for line in log)


def test_without_openvino_nothing_is_compiled_which_is_logged(uncompiled, log, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "segcube.backends.openvino.compiling", raising=False)
    compile_if_possible(uncompiled, log.append)
    assert not (uncompiled.folder / INDEX).exists()
    assert log == ["not compiled, so that torch runs it on a CPU: openvino is not installed"]


HOSTILE = ("json", "numpy", "openvino", "random", "segcube", "sitecustomize", "torch", "typer", "yaml")


def test_a_run_that_compiles_imports_nothing_from_the_current_folder(
    tumour_submission, tmp_path, make_case, glioma
):
    make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    for file in [tumour_submission / "openvino.yaml", *tumour_submission.glob("*.openvino")]:
        file.unlink()
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in HOSTILE:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write({name!r})")
    options = ["--data_path", tmp_path / "data", "--output_path", tmp_path / "out"]
    options += ["--weights", tumour_submission, "--device", "cpu"]
    command = [sys.executable, "-P", "-m", "segcube.cli", "infer", *map(str, options)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert not (tmp_path / "imported").exists()
    assert "compiling for this run alone" in ended.stderr
    assert "; openvino " in ended.stderr
