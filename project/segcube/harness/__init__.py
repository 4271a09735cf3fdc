"""What tries segcube out: made cases here, checks, trials of hosts and packing beside."""

from segcube.harness.made import Phantom, crop_phantom, make_phantom, write_phantoms

__all__ = ["Phantom", "crop_phantom", "make_phantom", "write_phantoms"]
