"""segcube: from labelled scans to trained folds, and from folds to a submission that every host can run."""

import sys

import lazy_loader

if sys.platform == "win32":
    raise ImportError("segcube runs on Linux and macOS; on Windows, install it in WSL or start its image")

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
