"""A run: the folder of one training, from its plan to the submission of its folds."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
