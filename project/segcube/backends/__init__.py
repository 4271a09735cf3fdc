"""Backends: a device and the library that drives it; torch is imported only by those that need it."""

import sys

import lazy_loader

# Importing OpenVINO would send a request to an analytics server, from a forked child; without this package it
# uses its own stub
sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
