"""Labelled cases for training: discovery, checks before the first step, and folds."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
