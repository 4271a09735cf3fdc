"""Challenges, submissions, hosts and cross-validation splits as data, read from and written to YAML."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
