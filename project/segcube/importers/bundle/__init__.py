"""MONAI bundles."""

from segcube.importers.bundle.convert import import_bundle

__all__ = ["import_bundle"]
