from .convert import import_lightning as import_lightning
from .settings import LightningWishes as LightningWishes
