"""Plans: from the fingerprint of a data set to a branch, a network, its patches and a budget."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
