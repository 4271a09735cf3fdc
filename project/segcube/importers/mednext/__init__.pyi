from .convert import MedNeXtOptions as MedNeXtOptions
from .convert import import_mednext as import_mednext
