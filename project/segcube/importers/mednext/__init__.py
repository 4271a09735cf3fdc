"""MIC-DKFZ's MedNeXt v1, trained within nnU-Net v1."""

from segcube.importers.mednext.convert import MedNeXtWishes, import_mednext

__all__ = ["MedNeXtWishes", "import_mednext"]
