"""The progress of a training: page, pictures, scores, terminal and exports, all from its log."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
