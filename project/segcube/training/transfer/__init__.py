"""Start a training from trained weights: how they fit the network, and which of them stay frozen."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
