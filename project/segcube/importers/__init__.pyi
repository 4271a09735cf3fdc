from .requests import Imported as Imported
from .requests import Wishes as Wishes
from .requests import parse_labels as parse_labels
from .requests import parse_names as parse_names
from .requests import parse_numbers as parse_numbers
from .requests import read_target as read_target
from .sources import opened_source as opened_source
from .write import write_imported as write_imported
