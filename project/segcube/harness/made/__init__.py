"""Made cases: no patient, a challenge's names, geometry and label values."""

from segcube.harness.made.phantoms import Phantom, crop_phantom, make_phantom, write_phantoms

__all__ = ["Phantom", "crop_phantom", "make_phantom", "write_phantoms"]
