"""Why a training does not train: symptoms in its log and in its data, each with what to do next."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
