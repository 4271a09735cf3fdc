from .convert import import_lightning as import_lightning
from .settings import LightningOptions as LightningOptions
