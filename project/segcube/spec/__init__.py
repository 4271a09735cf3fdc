"""Challenges, submissions and hosts: YAML to frozen models and back; no numerics."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
