from .compiling import compile_submission as compile_submission
from .graphs import INDEX as INDEX
from .graphs import NoGraphs as NoGraphs
from .graphs import compile_if_possible as compile_if_possible
from .graphs import read_compiled as read_compiled
