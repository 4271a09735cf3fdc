"""`segcube.checkpoints`, the former place of functions in `segcube.networks`."""

import importlib
import warnings

import pytest

from segcube import checkpoints, networks


@pytest.fixture
def fresh():
    """The module as a new process imports it."""
    for name in checkpoints.NAMES:
        vars(checkpoints).pop(name, None)
    return importlib.reload(checkpoints)


def test_each_name_gives_the_object_of_networks_and_warns_once(fresh):
    for name in checkpoints.NAMES:
        with pytest.warns(DeprecationWarning, match=rf"use segcube\.networks\.{name}") as caught:
            assert getattr(fresh, name) is getattr(networks, name)
        assert [warning.filename for warning in caught] == [__file__]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert getattr(fresh, name) is getattr(networks, name)


def test_importing_the_module_does_not_warn(fresh):
    with pytest.raises(AttributeError, match=r"segcube\.checkpoints.*no attribute 'build'"):
        _ = fresh.build
