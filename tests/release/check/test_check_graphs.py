from __future__ import annotations

from segcube.backends.openvino import INDEX
from segcube.release.check.weights import check_graphs
from segcube.spec.submission import read_submission


def found(folder):
    return [(f.level, str(f.code), f.file.name) for f in check_graphs(read_submission(folder), folder)]


def test_a_compiled_submission_gives_no_finding(tumour_submission):
    assert found(tumour_submission) == []


def test_members_without_a_graph_are_warned_of(tumour_submission):
    (tumour_submission / INDEX).unlink()
    assert found(tumour_submission) == [("warning", "NOT_COMPILED", "tumour")]


def test_a_graph_that_changed_is_an_error(tumour_submission):
    file = min(tumour_submission.glob("*.openvino"))
    file.write_bytes(b"spoiled")
    assert found(tumour_submission) == [("error", "GRAPH", file.name)]
