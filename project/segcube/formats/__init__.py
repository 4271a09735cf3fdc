"""Files of scans and label maps: cases found by name, NIfTI read and written."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
