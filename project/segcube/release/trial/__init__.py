"""Trials of hosts: start a submission as each host does, and check the result."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
