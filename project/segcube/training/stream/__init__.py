"""Phantoms as training cases: made while the training runs, each a function of seed and index alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
