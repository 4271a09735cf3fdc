from __future__ import annotations

import pytest
import yaml

from segcube.backends.openvino import INDEX, read_compiled
from segcube.backends.openvino.graphs import COMPILE_AGAIN, Graph, Index, write_graph, write_index
from segcube.core import EnvironmentFault

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
        ([LISTED | {"weights": ""}], "weights'.*pattern"),
        ([LISTED | {"window": [16, 16, 0]}], "window.2'.*greater than or equal to 1"),
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
