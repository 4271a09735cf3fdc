from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from segcube.core import MAX_VOXELS, Edge, explain
from segcube.core.validation import MOST_VOXELS
from segcube.formats.nifti.affine import EDGES_MM


def test_a_volume_has_one_bound():
    assert MOST_VOXELS == MAX_VOXELS


class Voxel(BaseModel):
    edge: Edge


@pytest.mark.parametrize(("edge", "factor"), [(EDGES_MM[0], 0.99), (EDGES_MM[1], 1.01)])
def test_edges_have_the_bounds_of_those_of_scans(edge, factor):
    assert Voxel(edge=edge).edge == edge
    with pytest.raises(ValidationError, match="edge"):
        Voxel(edge=edge * factor)


class Text(BaseModel, extra="forbid"):
    names: tuple[str, ...] | None = None


def message_of(**content: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Text.model_validate(content)
    return explain(caught.value, Text)


def test_long_keys_and_values_are_cut():
    assert message_of(**{"k" * 100: 1}) == f"unknown key {'k' * 80!r}; valid keys there: names"
    assert message_of(names=["a", {"b": "c" * 100}]).startswith(
        f"'names.1' = {str({'b': 'c' * 100})[:80]!r}: "
    )
