"""What every package uses: types, errors, arrays, files, threads, settings. Imports no other package."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
