from .convert import MedNeXtWishes as MedNeXtWishes
from .convert import import_mednext as import_mednext
