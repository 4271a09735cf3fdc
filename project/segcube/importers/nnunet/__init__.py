"""Model folders of nnU-Net v2, and of the MBAS winner's fork."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
