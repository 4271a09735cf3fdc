import sys
import types

import pytest


@pytest.fixture
def foreign_class(monkeypatch):
    """Make an empty class under a foreign module's name, for pickles that a test writes."""

    def make(module, name, *bases):
        kind = type(name, bases or (object,), {"__module__": module})
        parts = module.split(".")
        for depth in range(1, len(parts) + 1):
            path = ".".join(parts[:depth])
            if path not in sys.modules:
                monkeypatch.setitem(sys.modules, path, types.ModuleType(path))
        monkeypatch.setattr(sys.modules[module], name, kind, raising=False)
        return kind

    return make
