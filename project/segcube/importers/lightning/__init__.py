"""Lightning checkpoints of MedNeXt v1."""

from segcube.importers.lightning.convert import import_lightning
from segcube.importers.lightning.settings import LightningWishes

__all__ = ["LightningWishes", "import_lightning"]
