from .options import ImportOptions as ImportOptions
from .options import parse_labels as parse_labels
from .options import parse_names as parse_names
from .options import parse_numbers as parse_numbers
from .options import read_target as read_target
from .run import import_sources as import_sources
from .write import Imported as Imported
from .write import write_imported as write_imported
