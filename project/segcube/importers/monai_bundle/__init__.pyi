from .convert import import_bundle as import_bundle
