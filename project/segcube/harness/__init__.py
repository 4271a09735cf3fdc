"""What tries segcube out: made cases."""

from segcube.harness.phantoms import Phantom, make_phantom, write_phantoms

__all__ = ["Phantom", "make_phantom", "write_phantoms"]
