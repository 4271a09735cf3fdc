"""nnU-Net v2: model folders, their plans and cascades, and what MBAS built on them."""

from segcube.importers.nnunet.convert import import_nnunet
from segcube.importers.nnunet.mbas import import_mbas

__all__ = ["import_mbas", "import_nnunet"]
