from .report import library_versions as library_versions
from .request import Request as Request
from .run import run_folder as run_folder
