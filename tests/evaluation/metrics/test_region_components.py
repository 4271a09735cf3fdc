from __future__ import annotations

import numpy as np

from segcube.evaluation.metrics import ComponentMap
from segcube.evaluation.metrics.region_components import touching_pairs, unite_touching
from segcube.evaluation.profiles.score import score_labels
from segcube.spec.challenges import load_challenge


def components(*rows: str) -> ComponentMap:
    """Draw component numbers: columns along x, rows along y."""
    numbers = [[int(letter) if letter != "." else 0 for letter in row] for row in rows]
    return ComponentMap(np.array(numbers, dtype=np.int32).T[:, :, None])


def numbers(found: ComponentMap) -> list[str]:
    return ["".join("." if n == 0 else str(n) for n in row) for row in found.ids_xyz[:, :, 0].T]


def test_components_touch_along_faces_and_edges_only():
    tissue = components("1..", "...", "..2")
    assert touching_pairs(tissue, components("...", ".3.", "...")) == [(1, 3), (2, 3)]
    corner = ComponentMap(np.zeros((3, 3, 3), dtype=np.int32))
    corner.ids_xyz[0, 0, 0] = 1
    other = ComponentMap(np.zeros((3, 3, 3), dtype=np.int32))
    other.ids_xyz[1, 1, 1] = 1
    assert touching_pairs(corner, other) == []


def test_components_that_touch_the_same_component_are_united():
    assert numbers(unite_touching(components("1.2..3"), components(".4...."))) == ["4.4..3"]


def test_a_component_joins_the_lowest_numbered_one_that_it_touches():
    assert numbers(unite_touching(components("1.2.3"), components(".4.5."))) == ["4.4.5"]


def test_a_single_touching_pair_changes_nothing():
    assert numbers(unite_touching(components("1..2"), components(".3.."))) == ["1..2"]


def test_an_empty_tissue_touches_nothing():
    assert touching_pairs(components("1."), components("..")) == []
    assert touching_pairs(components(".."), components("1.")) == []


def test_components_that_touch_one_component_of_another_tissue_are_one_lesion(blocks):
    challenge = load_challenge("brats2024-ssa")
    netc, et = challenge.labels["NETC"], challenge.labels["ET"]
    # ET on both ends of one NETC, too far apart for the dilation to join them
    bridge = ((12, 4, 4), (12, 5, 5), netc)
    ends = ((8, 4, 4), (4, 5, 5), et), ((24, 4, 4), (4, 5, 5), et)
    missed = score_labels(blocks(), blocks(bridge, *ends), (1, 1, 1), challenge).regions
    assert missed["ET"]["num_fn"] == 1
    alone = score_labels(blocks(), blocks(*ends), (1, 1, 1), challenge).regions
    assert alone["ET"]["num_fn"] == 2


def test_paediatric_tissues_are_not_united(blocks):
    challenge = load_challenge("brats2024-ped")
    netc, et = challenge.labels["NETC"], challenge.labels["ET"]
    reference_xyz = blocks(
        ((12, 4, 4), (12, 5, 5), netc), ((8, 4, 4), (4, 5, 5), et), ((24, 4, 4), (4, 5, 5), et)
    )
    assert score_labels(blocks(), reference_xyz, (1, 1, 1), challenge).regions["ET"]["num_fn"] == 2
