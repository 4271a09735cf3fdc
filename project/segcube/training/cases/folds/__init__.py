"""Folds of a run: made by patient, or read from a file, and checked for leaks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
