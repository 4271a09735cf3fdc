from .convert import import_nnunet as import_nnunet
from .dataset import Dataset as Dataset
from .mbas import import_mbas as import_mbas
