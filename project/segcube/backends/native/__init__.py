"""The project's C++ kernels for AVX2 and AVX-512: loaded, described and called."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
