"""Discovery of cases by file names, and reading and writing of NIfTI files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
