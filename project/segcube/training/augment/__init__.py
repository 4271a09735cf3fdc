"""Augmentation: patches cut out of cached cases, moved and changed on the training device."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
