import numpy as np
import pytest

from segcube.core import UsageError
from segcube.phantoms.brain import atlas
from segcube.phantoms.brain.anatomy import draw_person
from segcube.phantoms.brain.atlas import build_atlas


@pytest.fixture(scope="module")
def body():
    return build_atlas(draw_person(np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("place", "tissue"),
    # White matter of the centrum semiovale, a lateral ventricle, the thalamus, outside of the head
    [((24, -4, 24), "white"), ((-5, 26, 4), "fluid"), ((12, -2, 2), "deep"), ((0, 0, 79), "fluid")],
)
def test_tissues_lie_where_the_template_has_them(body, place, tissue):
    found = body.at(np.array(place, dtype=float)[:, None], 2.0)
    shares = {"grey": found.grey_n[0], "deep": found.deep_n[0], "fluid": found.fluid_n[0]}
    shares["white"] = 1 - sum(shares.values())
    assert max(shares, key=shares.get) == tissue


def test_shares_are_those_of_a_voxel(body):
    rng = np.random.default_rng(0)
    found = body.at(rng.uniform(-70, 70, (3, 500)), 2.0)
    total = found.grey_n + found.deep_n + found.fluid_n
    assert total.min() >= 0
    assert total.max() <= 1 + 1e-6


def test_the_cerebellum_is_no_cerebrum(body):
    found = body.at(np.array([[20.0, 20.0], [-45.0, 20.0], [-45.0, 40.0]]), 2.0)
    assert found.cerebrum_n[0] < 0.1
    assert found.cerebrum_n[1] > 0.9


def test_pressure_narrows_sulci(body):
    places = np.random.default_rng(0).uniform(-60, 60, (3, 2000))
    open_, narrow = (body.at(places, 2.0, squeeze).fluid_n.sum() for squeeze in (0.0, 1.0))
    assert narrow < open_


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(atlas, "find_spec", lambda _name: None)
    atlas._map.cache_clear()
    with pytest.raises(
        UsageError, match="needs a file of the package nilearn; pip install --no-deps nilearn"
    ):
        atlas._map("gm")
